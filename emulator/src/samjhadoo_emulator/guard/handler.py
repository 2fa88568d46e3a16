"""The edge's first handler: refuses what `rules` refuse, and answers web pages of allowed origins."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from samjhadoo_emulator.error_responses import error_response
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.guard import cors
from samjhadoo_emulator.guard.rules import CONTROL_HEADER, Facts, Peer, decide, is_control, name_of
from samjhadoo_emulator.identify import Address, service_of, signing_name

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Sequence

    from starlette.types import Message, Scope, Send

    from samjhadoo_emulator.exchange import Exchange, Proceed
    from samjhadoo_emulator.guard.keys import Keys
    from samjhadoo_emulator.guard.peers import Peers
    from samjhadoo_emulator.guard.rules import AccessRules, Denial

    BucketRules = Callable[[str], Awaitable[list[dict[str, Any]] | None]]

log = logging.getLogger(__name__)

REGISTRY, METADATA = "/v2/", "/_ecs/"
MOST_LOGGED = 200
"""Lines; who asks from ever new origins shall not fill the log."""
_ASKED = frozenset(
    {
        b"access-control-request-method",
        b"content-length",
        b"content-type",
        b"host",
        b"origin",
        b"referer",
        b"sec-fetch-site",
        b"transfer-encoding",
    }
)


class Guard:
    """Decides who may ask, before anything of a request is read.

    Args:
        policy: What is allowed.
        peers: Recognises the machine's users.
        keys: The keys that clients may send.
        bucket_rules: Returns the CORS rules of a bucket; None where there is no such bucket.
    """

    def __init__(self, policy: AccessRules, *, peers: Peers, keys: Keys, bucket_rules: BucketRules) -> None:
        self._policy = policy
        self._peers = peers
        self._keys = keys
        self._bucket_rules = bucket_rules
        self._logged: set[str] = set()

    async def handle(self, exchange: Exchange, proceed: Proceed) -> None:
        """Refuse a request, answer a preflight, or hand the request to the next handler."""
        scope, target = exchange.scope, ""
        if not scope["path"].startswith("/"):
            target = _authority(scope)
            exchange.scope = scope = _with_path(scope)
        facts = self._facts(scope, target)
        denial = decide(facts, self._policy)
        if denial:
            self._log(denial)
            response = _refused(scope, denial)
            if facts.has_body:  # what the client sends of it is not read
                response.headers["connection"] = "close"
            await response(scope, exchange.receive, exchange.send)
            return
        if facts.origins:
            await self._serve_page(exchange, proceed, facts)
        elif facts.preflight:
            await Response(status_code=204)(scope, exchange.receive, exchange.send)
        else:
            exchange.send = Answer(exchange.send, []).send
            await proceed(exchange)

    def close(self) -> None:
        """Ask the kernel no more."""
        self._peers.close()

    def _facts(self, scope: Scope, target: str) -> Facts:
        asked: dict[bytes, list[str]] = {}
        authorization, controls = "", False
        for name, value in scope["headers"]:
            if name in _ASKED:
                asked.setdefault(name, []).append(value.decode("latin-1"))
            elif name == b"authorization":
                authorization = value.decode("latin-1")
            elif name == _CONTROL:
                controls = True
        method, path = scope["method"], scope["path"]
        peer = self._peers.of(scope["client"], scope["server"])
        is_asked = peer is not Peer.TRUSTED or self._policy.key == "always"
        query = scope["query_string"].decode("latin-1") if is_asked else ""
        return Facts(
            method=method,
            path=path,
            hosts=tuple(asked.get(b"host", ())),
            target=target,
            origins=tuple(asked.get(b"origin", ())),
            sites=tuple(asked.get(b"sec-fetch-site", ())),
            referer=", ".join(asked.get(b"referer", ())),
            preflight=asked.get(b"access-control-request-method", [""])[0] if method == "OPTIONS" else "",
            has_body=b"transfer-encoding" in asked or asked.get(b"content-length", ["0"]) != ["0"],
            is_json=_is_json(asked.get(b"content-type", ())),
            controls=controls,
            asks_for_task=is_asked and _asks_for_task(scope, query),
            peer=peer,
            has_key=is_asked and self._keys.accepts(authorization, query),
        )

    async def _serve_page(self, exchange: Exchange, proceed: Proceed, facts: Facts) -> None:
        """Serve a page of an allowed origin; in S3, its bucket's rules decide what it may read."""
        scope, origin = exchange.scope, facts.origins[0]
        headers = exchange.headers
        wanted = headers.get("access-control-request-headers", "")
        bucket = _bucket(exchange)
        rules = await self._bucket_rules(bucket) if bucket else None
        if rules is None:
            if facts.preflight:
                response = Response(status_code=204, headers=cors.for_preflight(origin, wanted))
                await response(scope, exchange.receive, exchange.send)
                return
            exchange.send = Answer(exchange.send, cors.for_answer(origin)).send
            await proceed(exchange)
            return
        rule = cors.rule_for(rules, origin=origin, method=facts.preflight or facts.method, headers=wanted)
        if facts.preflight:
            await _preflight_of(scope, rules, rule, origin, wanted)(scope, exchange.receive, exchange.send)
            return
        given = cors.for_bucket(rule, origin=origin) if rule else {}
        exchange.send = Answer(exchange.send, cors.encoded(given)).send
        await proceed(exchange)

    def _log(self, denial: Denial) -> None:
        if denial.who not in self._logged and len(self._logged) < MOST_LOGGED:
            self._logged.add(denial.who)
            log.warning("refused %.200s: %.500s", denial.who, denial.reason)


_CONTROL = CONTROL_HEADER.encode()


def _authority(scope: Scope) -> str:
    """Return the host of a target that is a whole URL; what is neither URL nor path is nobody's."""
    try:
        return urlsplit(scope["path"]).netloc or "?"
    except ValueError:
        return "?"


def _with_path(scope: Scope) -> Scope:
    """Return the scope of a request whose target is a whole URL, with the path alone."""
    raw = b"/" + scope["raw_path"].partition(b"://")[2].partition(b"/")[2]
    path = "/" + scope["path"].partition("://")[2].partition("/")[2]
    return {**scope, "path": path, "raw_path": raw}


def _is_json(content_types: Sequence[str]) -> bool:
    return [each.partition(";")[0].strip().lower() for each in content_types] == ["application/json"]


def _asks_for_task(scope: Scope, query: str) -> bool:
    """Return whether only the metadata endpoint can get this request."""
    return (
        scope["method"] == "GET"
        and scope["path"].startswith(METADATA)
        and not signing_name(Headers(scope=scope), query)
    )


def _bucket(exchange: Exchange) -> str:
    """Return the bucket that a request may be for; empty if it is for another service."""
    headers, path = exchange.headers, exchange.scope["path"]
    service = service_of(headers, query=exchange.query, path=path)
    targeted = "x-amz-target" in headers.get("access-control-request-headers", "").lower()
    if service not in ("", "s3") or targeted or is_control(path) or path.startswith((REGISTRY, METADATA)):
        return ""
    return cors.bucket_of(name_of(headers.get("host", "")), path)


def _preflight_of(
    scope: Scope, rules: list[dict[str, Any]], rule: dict[str, Any] | None, origin: str, wanted: str
) -> Response:
    """Return S3's answer to a preflight."""
    if rule:
        return Response(headers=cors.for_bucket(rule, origin=origin, headers=wanted))
    message = cors.NOT_ALLOWED if rules else cors.NOT_ENABLED
    return error_response(scope, AwsError("AccessForbidden", message, status=403), Address(service="s3"))


def _refused(scope: Scope, denial: Denial) -> Response:
    """Return the denial in the client's own protocol."""
    if scope["path"].startswith(REGISTRY):
        code = "UNAUTHORIZED" if denial.wants_key else "DENIED"
        document = {"errors": [{"code": code, "message": denial.reason}]}
        response: Response = JSONResponse(document, 401 if denial.wants_key else 403)
        if denial.wants_key:
            response.headers["www-authenticate"] = 'Basic realm="samjhadoo-emulator"'
    elif is_control(scope["path"]):
        response = JSONResponse({"message": denial.reason}, 403)
    else:
        response = error_response(scope, AwsError("AccessDenied", denial.reason, status=403))
    return response


class Answer:
    """Sends an answer with these CORS headers and none of the upstream's."""

    def __init__(self, send: Send, given: cors.Pairs) -> None:
        self._send = send
        self._given = given

    @property
    def transport(self) -> asyncio.Transport:
        """The connection, as what uvicorn sends with has it, too."""
        transport: asyncio.Transport = self._send.__self__.transport  # type: ignore[attr-defined]
        return transport

    async def send(self, message: Message) -> None:
        """Send a message."""
        if message["type"] == "http.response.start":
            headers = cors.without_cors(message.get("headers", ()))
            message = {**message, "headers": [*headers, *self._given]}
        await self._send(message)
