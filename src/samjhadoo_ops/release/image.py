"""The results of building and pushing a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment.value_types import ImageReference


@dataclass(frozen=True)
class BuiltImage:
    """An image that can be pushed, or is already in the registry.

    Attributes:
        version: The release's version.
        repository_uri: The URI of its repository, without tag.
        digest: The manifest's digest; empty until `docker push` has printed it.
        layout: The OCI layout that holds it; None if a Docker engine or the registry does.
        reused: Whether the registry already had the tag, so that nothing was built.
        source: The image in another registry that is to be copied.
    """

    version: str
    tag: str
    repository_uri: str
    digest: str = ""
    layout: Path | None = None
    reused: bool = False
    source: ImageReference | None = None

    @property
    def registry_host(self) -> str:
        """The registry's host and port."""
        return self.repository_uri.partition("/")[0]

    @property
    def tagged(self) -> str:
        """The image's reference by tag."""
        return f"{self.repository_uri}:{self.tag}"


@dataclass(frozen=True)
class PushedImage:
    """An image in the registry.

    Attributes:
        repository_uri: The URI of its repository, without tag.
        digest: The manifest's digest, as the registry reports it.
        sent: Bytes that were sent; 0 if everything was there, None if a Docker engine sent them.
    """

    repository_uri: str
    tag: str
    digest: str
    sent: int | None = 0

    @property
    def reference(self) -> str:
        """The image's reference by digest, which is how it is deployed."""
        return f"{self.repository_uri}@{self.digest}"
