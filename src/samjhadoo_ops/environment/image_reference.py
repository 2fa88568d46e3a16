"""References to container images, as Docker writes and reads them."""

from __future__ import annotations

from dataclasses import dataclass

# The grammar of the distribution library: name, tag and digest.
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(?::[0-9]{1,5})?"
_VERSION = r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
IMAGE_PATTERN = rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*{_VERSION}"
REGISTRY_PATTERN = rf"(?:{_HOST}|{_COMPONENT})(?:/{_COMPONENT})*"
DOCKER_HUB = "docker.io"


@dataclass(frozen=True)
class ImageReference:
    """A reference to an image: the registry's host, the repository in it, and a tag or digest."""

    host: str
    repository: str
    version: str = "latest"

    @classmethod
    def parse(cls, text: str) -> ImageReference:
        """Read a reference as Docker does, with Docker Hub and the tag `latest` as defaults."""
        name, at, digest = text.partition("@")
        host, path = _split_host(name)
        repository, _, tag = path.partition(":")
        return cls(host or DOCKER_HUB, repository, digest if at else tag or "latest")


def names_registry(text: str) -> bool:
    """Return whether a reference names its registry."""
    return bool(_split_host(text)[0])


def _split_host(name: str) -> tuple[str, str]:
    """Return host and path. The part before the first slash is a host if it looks like one."""
    first, slash, rest = name.partition("/")
    is_host = bool(slash) and (first == "localhost" or "." in first or ":" in first)
    return (first, rest) if is_host else ("", name)
