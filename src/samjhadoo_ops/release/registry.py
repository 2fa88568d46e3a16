"""Access to image registries through python-dxf, which implements the distribution protocol."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.value_types import ImageReference
from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import is_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samjhadoo_ops.environment import Secret
    from samjhadoo_ops.release.platform import Platform

TIMEOUT = 60.0
"""Real seconds for connecting, and between two parts of an answer."""
ATTEMPTS = 4
BLOCK = 1 << 20
_INDEXES = frozenset(
    {
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    }
)
NOT_FOUND, TOO_MANY, SERVER_ERROR = 404, 429, 500


class RegistryRefused(OpsError):
    """A registry refused a request, or could not be reached."""


class RemoteRepository:
    """A repository in a registry. Loopback uses http without a proxy, everything else https.

    Args:
        host: The registry's host and port.
        login: Returns the password of the user `AWS`; called only if the registry requires a login.
    """

    def __init__(self, host: str, name: str, login: Callable[[], Secret] | None = None) -> None:
        self.uri = f"{host}/{name}"
        self._host = host
        self._name = name
        self._login = login

    @contextmanager
    def session(self) -> Iterator[Any]:
        """Yield a python-dxf session, which keeps its connection open."""
        from dxf import DXF

        local = is_loopback(self._host)
        with DXF(self._host, self._name, auth=self._authenticate, insecure=local, timeout=TIMEOUT) as session:
            if local:
                session._sessions[0].trust_env = False  # type: ignore[union-attr]  # noqa: SLF001 - dxf has no setting for it
            with self._explained():
                yield session

    def has(self, session: Any, digest: str) -> bool:
        """Return whether the repository has a blob."""
        return self._found(lambda: session.blob_size(digest)) is not None

    def push_blob(self, session: Any, file: Path, digest: str) -> None:
        """Upload a blob, streamed from its file."""
        _retried(lambda: session.push_blob(filename=str(file), digest=digest, check_exists=False))

    def push_manifest(self, session: Any, content: bytes, tag: str) -> str:
        """Store a manifest under a tag; return the digest that the registry then reports for the tag."""
        _retried(lambda: session.set_manifest(tag, content.decode()))
        return self.digest(session, tag) or ""

    def digest(self, session: Any, version: str) -> str | None:
        """Return the digest of a tag; None if the repository has no such tag."""
        found = self._found(lambda: session.head_manifest_and_response(version)[0])
        return None if found is None else str(found)

    def manifest(self, session: Any, version: str) -> tuple[str, dict[str, Any]]:
        """Return a manifest's digest and content."""
        content, response = _retried(lambda: session.get_manifest_and_response(version))
        return str(response.headers["Docker-Content-Digest"]), json.loads(content)

    def content(self, session: Any, digest: str) -> tuple[bytes, dict[str, Any]]:
        """Return a manifest by its digest, as bytes and parsed; raise `RegistryRefused` for another."""
        text, _ = _retried(lambda: session.get_manifest_and_response(digest))
        content = text.encode()
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise RegistryRefused(f"{self.uri} returned a manifest that does not match {digest}")
        return content, json.loads(content)

    def document(self, session: Any, digest: str) -> dict[str, Any]:
        """Return a small blob that is JSON, such as an image's configuration; its digest is verified."""
        content = b"".join(_retried(lambda: session.pull_blob(digest, chunk_size=BLOCK)))
        found: dict[str, Any] = json.loads(content)
        return found

    def pull_blob(self, digest: str, file: Path) -> None:
        """Fetch a blob into a file; its digest is verified."""
        with self.session() as session, file.open("wb") as target:
            for piece in _retried(lambda: session.pull_blob(digest, chunk_size=BLOCK)):
                target.write(piece)

    def _authenticate(self, session: Any, response: Any) -> None:
        if self._login is None:
            return
        password = self._login().reveal()
        if is_loopback(self._host):  # the local stack may ask for a login; dxf refuses to log in without TLS
            login = base64.b64encode(f"AWS:{password}".encode()).decode()
            session._headers = {"Authorization": f"Basic {login}"}  # noqa: SLF001
            return
        session.authenticate("AWS", password, response=response)

    def _found(self, ask: Callable[[], Any]) -> Any:
        from requests import HTTPError

        try:
            return _retried(ask)
        except HTTPError as error:
            if error.response is not None and error.response.status_code == NOT_FOUND:
                return None
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from dxf.exceptions import DXFError
        from requests import HTTPError, RequestException

        try:
            yield
        except HTTPError as error:
            raise RegistryRefused(f"the registry refused {self.uri}: {_reason(error.response)}") from error
        except (RequestException, DXFError) as error:
            text = str(error) or type(error).__name__
            raise RegistryRefused(f"cannot push to or pull from {self.uri}: {text}") from error


@dataclass(frozen=True)
class RemoteRegistry:
    """A registry from which base images can be taken."""

    host: str
    login: Callable[[], Secret] | None = None

    def holds(self, reference: str) -> bool:
        """Return whether a reference names an image in this registry."""
        return ImageReference.parse(reference).host == self.host

    def image(self, reference: str, target: Platform) -> tuple[RemoteRepository, str, dict[str, Any]]:
        """Return the repository, digest and manifest of an image; the platform selects one of several.

        Raises:
            ConfigurationError: There is no image for the platform.
            RegistryRefused: There is no such image.
        """
        parsed = ImageReference.parse(reference)
        repository = RemoteRepository(self.host, parsed.repository, self.login)
        with repository.session() as session:
            digest, manifest = repository.manifest(session, parsed.version)
            if manifest.get("mediaType") in _INDEXES or "manifests" in manifest:
                chosen = _for_platform(manifest, target)
                if chosen is None:
                    raise ConfigurationError(f"the base image {reference} has no {target}")
                digest, manifest = repository.manifest(session, chosen)
        return repository, digest, manifest


def _for_platform(index: dict[str, Any], target: Platform) -> str | None:
    for manifest in index["manifests"]:
        platform = manifest.get("platform") or {}
        same = (platform.get("os"), platform.get("architecture")) == (target.system, target.architecture)
        if same and target.variant in ("", platform.get("variant")):
            return str(manifest["digest"])
    return None


def _retried(attempt: Callable[[], Any]) -> Any:
    """Send a request, with further attempts after transient failures."""
    import stamina

    for again in stamina.retry_context(on=_is_transient, attempts=ATTEMPTS, timeout=None):
        with again:
            return attempt()
    raise AssertionError("unreachable")  # pragma: no cover


def _is_transient(error: Exception) -> bool:
    from requests import ConnectionError as Unreachable
    from requests import HTTPError, Timeout

    if isinstance(error, HTTPError):
        status = 0 if error.response is None else error.response.status_code
        return status == TOO_MANY or status >= SERVER_ERROR
    return isinstance(error, (Unreachable, Timeout))


def _reason(response: Any) -> str:
    """Return the reason in a registry's error."""
    try:
        errors = response.json()["errors"]
        return "; ".join(f"{error['code']}: {error.get('message', '')}" for error in errors)
    except (AttributeError, KeyError, TypeError, ValueError):
        return "no answer" if response is None else f"HTTP status {response.status_code}"
