"""Signs requests anew, for an upstream that verifies signatures and knows none of the clients' keys.

A request keeps its time, region, service and list of signed headers: only the key is another one. What has
no signature (anonymous requests, LocalStack's own pages) stays without.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, unquote_to_bytes

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, HTTPHeaders
from botocore.credentials import Credentials, RefreshableCredentials

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.upstream.chunks import TRAILER, plain_chunks, unsigned_chunks

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Mapping

    from samjhadoo_emulator.upstream.headers import Headers

_SCOPE = re.compile(r"[^/]+/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<scope>[^,\s]+),\s*SignedHeaders=(?P<signed>[^,\s]+),\s*Signature=\w+"
)
_ANY_QUERY_SIGNATURE = "X-Amz-Algorithm="
_OLD_QUERY_SIGNATURE = "AWSAccessKeyId="
_STREAMING_SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_SAFE = "-_.~"
_IN_MEMORY = 1 << 20
_PIECE = 1 << 16
UNSIGNED = "UNSIGNED-PAYLOAD"


class CredentialsRefused(ValueError):
    """The upstream's credentials are incomplete, or not there."""


def credentials_from(variables: Mapping[str, str], profile: str = "") -> Credentials | None:
    """Return the upstream's credentials; None where none are given.

    Args:
        variables: May hold `SAMJHADOO_UPSTREAM_ACCESS_KEY_ID`, `…_SECRET_ACCESS_KEY` and `…_SESSION_TOKEN`.
        profile: A profile of the AWS configuration, which counts more. Temporary keys of it are renewed.

    Raises:
        CredentialsRefused: There is only one half of a key, or no such profile.

    """
    if profile:
        return _of_profile(profile)
    key, secret, token = (
        variables.get(f"SAMJHADOO_UPSTREAM_{name}", "")
        for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
    )
    if bool(key) != bool(secret) or (token and not key):
        raise CredentialsRefused(
            "the upstream's credentials are incomplete: set both SAMJHADOO_UPSTREAM_ACCESS_KEY_ID and "
            "SAMJHADOO_UPSTREAM_SECRET_ACCESS_KEY, or neither"
        )
    return Credentials(key, secret, token or None) if key else None


def _of_profile(profile: str) -> Credentials:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found = Session(profile=profile).get_credentials()
    except BotoCoreError as error:
        raise CredentialsRefused(f"the upstream's profile {profile}: {error}") from error
    if found is None:
        raise CredentialsRefused(f"the upstream's profile {profile} holds no credentials")
    return found


@dataclass
class _Request:
    """A request while it is signed.

    Attributes:
        path: Percent-encoded, as it is sent.
        query: Its parameters as they are sent, in their order.
        headers: In their order; names in lower case.
        payload: What the signature says of the body: its hash, or one of S3's words.

    """

    method: str
    path: str
    query: list[str]
    headers: list[tuple[str, str]]
    payload: str = UNSIGNED

    def header(self, name: str) -> str:
        return next((value for each, value in self.headers if each == name), "")

    def drop(self, *names: str) -> None:
        self.headers = [(name, value) for name, value in self.headers if name not in names]

    def put(self, name: str, value: str) -> None:
        """Set a header, in its place if it is there."""
        if any(each == name for each, _ in self.headers):
            self.headers = [(each, value if each == name else old) for each, old in self.headers]
        else:
            self.headers.append((name, value))

    @property
    def target(self) -> bytes:
        return "?".join([self.path, *filter(None, ["&".join(self.query)])]).encode("latin-1")


class Signer:
    """Signs with the upstream's credentials."""

    def __init__(self, credentials: Credentials) -> None:
        self._source = credentials

    async def signed(
        self, method: bytes, target: bytes, headers: Headers, content: AsyncIterable[bytes] | None
    ) -> tuple[bytes, Headers, AsyncIterable[bytes] | None]:
        """Return a request's target, headers and body as the upstream accepts them.

        Raises:
            AwsError: It is signed in a way that cannot be signed anew.

        """
        path, _, query = target.decode("latin-1").partition("?")
        request = _Request(
            method.decode(),
            path,
            query.split("&") if query else [],
            [(name.decode().lower(), value.decode("latin-1")) for name, value in headers],
        )
        authorization = request.header("authorization")
        if match := _AUTHORIZATION.match(authorization):
            content = await _payload(request, content)
            key = await self._key()
            _sign_header(request, match["scope"], match["signed"].split(";"), key)
        elif authorization.startswith("AWS4-"):
            raise _refused(f"by {authorization.split()[0]}")
        elif authorization.startswith("AWS ") or _OLD_QUERY_SIGNATURE in query:
            raise _refused("by Signature Version 2 (in boto3, ask for signature_version s3v4)")
        elif _ANY_QUERY_SIGNATURE in query:
            _sign_query(request, await self._key())
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in request.headers]
        return request.target, encoded, content

    async def _key(self) -> Any:
        """Return the key of this moment; one that is about to expire is renewed, which may take a while."""
        if isinstance(self._source, RefreshableCredentials):
            return await asyncio.to_thread(self._source.get_frozen_credentials)
        return self._source.get_frozen_credentials()


def _sign_header(request: _Request, scope: str, signed: list[str], credentials: Any) -> None:
    present = {name for name, _ in request.headers}
    request.drop("authorization", "x-amz-security-token")
    if credentials.token:
        request.put("x-amz-security-token", credentials.token)
    if "x-amz-date" not in present:
        request.put("x-amz-date", datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"))
    wanted = {*signed, "x-amz-date"} - {"x-amz-security-token"}
    wanted |= {"x-amz-security-token"} if credentials.token else set()
    if "x-amz-content-sha256" in present:
        wanted.add("x-amz-content-sha256")
    auth = _auth(credentials, scope, request.payload)
    moment = request.header("x-amz-date")
    names, signature = auth.sign(request, wanted, moment)
    key = auth.scope_of(moment)
    request.put(
        "authorization",
        f"AWS4-HMAC-SHA256 Credential={key}, SignedHeaders={names}, Signature={signature}",
    )


def _sign_query(request: _Request, credentials: Any) -> None:
    """Sign a presigned URL anew, which goes on to expire when its maker said."""
    fields = {name: unquote_to_bytes(value).decode() for name, _, value in map(_pair, request.query)}
    if fields["X-Amz-Algorithm"] != "AWS4-HMAC-SHA256" or "X-Amz-Date" not in fields:
        raise _refused(f"by {fields['X-Amz-Algorithm']} in its query")
    moment = fields["X-Amz-Date"]
    scope = fields.get("X-Amz-Credential", "")
    # S3 leaves a presigned URL's body out; elsewhere there is none.
    unsaid = UNSIGNED if "/s3" in scope else hashlib.sha256().hexdigest()
    auth = _auth(credentials, scope, request.header("x-amz-content-sha256") or unsaid)
    replaced = {"X-Amz-Credential": auth.scope_of(moment)}
    if credentials.token:
        replaced["X-Amz-Security-Token"] = credentials.token
    gone = {*replaced, "X-Amz-Security-Token", "X-Amz-Signature"}
    request.query = [pair for pair in request.query if _pair(pair)[0] not in gone]
    request.query += [f"{name}={quote(value, safe=_SAFE)}" for name, value in replaced.items()]
    signed = set(fields.get("X-Amz-SignedHeaders", "host").split(";"))
    _, signature = auth.sign(request, signed, moment)
    request.query.append(f"X-Amz-Signature={signature}")


def _refused(kind: str) -> AwsError:
    message = f"The upstream verifies signatures, and the edge cannot sign anew what is signed {kind}."
    return AwsError("NotImplemented", message, status=501)


def _pair(text: str) -> tuple[str, str, str]:
    return text.partition("=")


def _auth(credentials: Any, scope: str, payload: str) -> Any:
    match = _SCOPE.fullmatch(scope)
    if match is None:
        raise AwsError(
            "IncompleteSignature", f"Credential should be scoped to a region and a service: {scope}"
        )
    kind = _S3 if match["service"] in ("s3", "s3-object-lambda", "s3-outposts") else _Plain
    return kind(credentials, match["service"], match["region"], payload)


class _Signing:
    """botocore's signer, for headers and a payload's hash that are given."""

    def __init__(self, credentials: Any, service: str, region: str, payload: str) -> None:
        super().__init__(credentials, service, region)  # type: ignore[call-arg]
        self._payload = payload
        self._wanted: set[str] = set()

    def sign(self: Any, request: _Request, headers: set[str], moment: str) -> tuple[str, str]:
        """Return the names of the signed headers, and the signature."""
        self._wanted = headers
        signing = AWSRequest(request.method, f"http://host{_canonical_path(request.path)}")
        signing.headers = HTTPHeaders()
        for name, value in request.headers:
            signing.headers.add_header(name, value)
        signing.context["timestamp"] = moment
        signing.url += "?" + _canonical_query(request.query) if request.query else ""
        text = self.string_to_sign(signing, self.canonical_request(signing))
        return self.signed_headers(self.headers_to_sign(signing)), self.signature(text, signing)

    def scope_of(self: Any, moment: str) -> str:
        """Return the key with what it is for."""
        signing = AWSRequest("GET", "http://host/")
        signing.context["timestamp"] = moment
        return str(self.scope(signing))

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        found = HTTPHeaders()
        for name, value in request.headers.items():
            if name in self._wanted:
                found.add_header(name, value)
        return found

    def payload(self, _: AWSRequest) -> str:
        return self._payload

    def _normalize_url_path(self: Any, path: str) -> str:
        # Elsewhere than in S3 a path is encoded twice, and its dots and empty segments are resolved.
        return str(super()._normalize_url_path(path))  # type: ignore[misc]


class _Plain(_Signing, SigV4Auth):  # type: ignore[misc]
    """For every service but S3."""


class _S3(_Signing, S3SigV4Auth):  # type: ignore[misc]
    """For S3, whose paths are signed as they are."""


def _canonical_path(path: str) -> str:
    """Return a path as AWS encodes it, whatever the client has encoded."""
    return quote(unquote_to_bytes(path), safe=f"/{_SAFE}")


def _canonical_query(pairs: list[str]) -> str:
    return "&".join(
        f"{quote(unquote_to_bytes(name), safe=_SAFE)}={quote(unquote_to_bytes(value), safe=_SAFE)}"
        for name, _, value in map(_pair, pairs)
    )


async def _payload(request: _Request, content: AsyncIterable[bytes] | None) -> AsyncIterable[bytes] | None:
    """Find out what the signature says of the body, and return the body as it is sent then.

    Where the client has said it (S3's clients do) nothing is read. Chunks that are signed with the client's
    key one by one lose their signatures: over a trailer they stay chunks, else they become a plain body.
    Otherwise the body is read once to be hashed, on disk if it is large.
    """
    told = request.header("x-amz-content-sha256")
    if told.startswith(_STREAMING_SIGNED) and content is not None:
        trailing = told.endswith("-TRAILER")
        request.payload = TRAILER if trailing else UNSIGNED
        request.put("x-amz-content-sha256", request.payload)
        if trailing:
            request.drop("content-length")
            request.put("transfer-encoding", "chunked")
            return unsigned_chunks(content)
        _become_plain(request)
        return plain_chunks(content)
    if told:
        request.payload = told
        return content
    digest = hashlib.sha256()
    if content is None:
        request.payload = digest.hexdigest()
        return None
    kept: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed when it was sent
    async for piece in content:
        digest.update(piece)
        kept.write(piece)
    request.payload = digest.hexdigest()
    return _read(kept)


def _become_plain(request: _Request) -> None:
    length = request.header("x-amz-decoded-content-length")
    encodings = [each.strip() for each in request.header("content-encoding").split(",")]
    kept = ",".join(each for each in encodings if each and each != "aws-chunked")
    request.drop("x-amz-decoded-content-length", "transfer-encoding", "content-encoding")
    if kept:
        request.put("content-encoding", kept)
    request.put("content-length", length)


async def _read(kept: IO[bytes]) -> AsyncIterator[bytes]:
    with kept:
        kept.seek(0)
        while piece := kept.read(_PIECE):
            yield piece
