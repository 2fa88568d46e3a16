"""Reads images from a registry: the pulling half of the OCI distribution protocol.

Blocking; called in threads.
"""

from __future__ import annotations

import hashlib
import json
import platform
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import urllib3

from samjhadoo_emulator.ecs.runtime.contract import CannotPullError, ImageConfig
from samjhadoo_emulator.identify import REGISTRY_LOGIN

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_emulator.ecs.runtime.reference import Reference

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CHUNK = 1 << 20
TIMEOUT = urllib3.Timeout(connect=5, read=60)
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def host_architecture() -> str:
    """Return the host's architecture in OCI's words."""
    machine = platform.machine().lower()
    return _ARCHITECTURES.get(machine, machine)


class RegistryClient:
    """A registry at `<url>/v2/`.

    Args:
        url: The address, without `/v2/`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        # A registry without sign-in ignores it.
        self._headers = {"Authorization": REGISTRY_LOGIN}
        self._closed = False
        self._pool = urllib3.PoolManager(retries=urllib3.Retry(2, redirect=5), timeout=TIMEOUT)

    def close(self) -> None:
        """Close all connections; pulls under way end at their next request."""
        self._closed = True
        self._pool.clear()

    def manifest(self, reference: Reference) -> tuple[str, dict[str, Any]]:
        """Return the digest the reference names and the manifest for this host's platform.

        Raises:
            CannotPullError: There is no such image, none for this platform, or it is damaged.
        """
        digest, document = self._manifest(reference, reference.version)
        if document.get("mediaType") in INDEXES or "manifests" in document:
            chosen = _for_this_host(document["manifests"])
            if chosen is None:
                raise CannotPullError(
                    "image Manifest does not contain descriptor matching platform "
                    f"'linux/{host_architecture()}'"
                )
            _, document = self._manifest(reference, chosen["digest"])
        if "layers" not in document:
            raise CannotPullError(f"unsupported manifest of {reference.repository}:{reference.version}")
        return digest, document

    def fetch(self, reference: Reference, digest: str, path: Path) -> None:
        """Write a blob to a file.

        Raises:
            CannotPullError: It is missing, or does not have this digest.
        """
        response = self._get(reference, f"blobs/{digest}", stream=True)
        measured = hashlib.sha256()
        try:
            with path.open("wb") as file:
                for chunk in response.stream(CHUNK, decode_content=False):
                    measured.update(chunk)
                    file.write(chunk)
        except urllib3.exceptions.HTTPError as error:
            raise CannotPullError(f"failed to copy {digest}: {error}") from error
        finally:
            response.release_conn()
        found = f"sha256:{measured.hexdigest()}"
        if found != digest:
            raise CannotPullError(f"failed commit on ref layer-{digest}: unexpected digest {found}")

    def _manifest(self, reference: Reference, version: str) -> tuple[str, dict[str, Any]]:
        response = self._get(reference, f"manifests/{version}", accept=", ".join(INDEXES + MANIFESTS))
        digest = f"sha256:{hashlib.sha256(response.data).hexdigest()}"
        if version.startswith("sha256:"):
            _verify(response.data, version)
        document = json.loads(response.data)
        if not isinstance(document, dict):
            raise CannotPullError(f"unsupported manifest of {reference.repository}:{version}")
        return digest, document

    def _get(
        self, reference: Reference, path: str, *, accept: str = "*/*", stream: bool = False
    ) -> urllib3.BaseHTTPResponse:
        if self._closed:
            raise CannotPullError("the emulator is stopping")
        url = f"{self._url}/v2/{reference.repository}/{path}"
        headers = {**self._headers, "Accept": accept}
        if reference.region:
            headers["Host"] = reference.host  # names the region, as on AWS
        failed = f"pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: "
        try:
            response = self._pool.request("GET", url, headers=headers, preload_content=not stream)
        except urllib3.exceptions.HTTPError as error:
            raise CannotPullError(f"{failed}{error}") from error
        if response.status != HTTPStatus.OK:
            missing = response.status == HTTPStatus.NOT_FOUND
            response.drain_conn()
            raise CannotPullError(
                failed + (f"{reference}: not found" if missing else f"unexpected status {response.status}")
            )
        return response


def parse_config(blob: bytes) -> ImageConfig:
    """Return how an image's configuration has it run."""
    return config_of(json.loads(blob).get("config") or {})


def config_of(config: dict[str, Any]) -> ImageConfig:
    """Return how the `config` of an image, or an engine's view of it, has it run."""
    environment = dict(entry.split("=", 1) for entry in config.get("Env") or [] if "=" in entry)
    return ImageConfig(
        entry_point=tuple(config.get("Entrypoint") or ()),
        command=tuple(config.get("Cmd") or ()),
        environment=environment,
        working_directory=config.get("WorkingDir") or "",
        user=config.get("User") or "",
        stop_signal=config.get("StopSignal") or "SIGTERM",
    )


def _for_this_host(manifests: list[dict[str, Any]]) -> dict[str, Any] | None:
    for descriptor in manifests:
        named = descriptor.get("platform") or {}
        if named.get("os", "linux") == "linux" and named.get("architecture", "") == host_architecture():
            return descriptor
    return None


def _verify(body: bytes, digest: str) -> None:
    measured = f"sha256:{hashlib.sha256(body).hexdigest()}"
    if measured != digest:
        raise CannotPullError(f"failed to verify {digest}: unexpected digest {measured}")
