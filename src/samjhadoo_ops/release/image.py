"""What building and pushing a release gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment.image_reference import ImageReference


@dataclass(frozen=True)
class BuiltImage:
    """An image that can be pushed, or is in the registry already.

    Attributes:
        version: The release's version.
        tag: Its tag in the registry.
        repository_uri: Where it belongs, without tag.
        digest: Of its manifest; empty until `docker push` has told it.
        layout: The OCI layout that holds it; None when a Docker engine does, or the registry.
        reused: Whether the registry had the tag already, so that nothing was built.
        source: Another registry's image that this one is to be a copy of.

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
        repository_uri: The repository, without tag.
        tag: Its tag.
        digest: Of its manifest, as the registry tells it.
        sent: Bytes that were sent; 0 when all was there, None when a Docker engine sent them.

    """

    repository_uri: str
    tag: str
    digest: str
    sent: int | None = 0

    @property
    def reference(self) -> str:
        """The image's reference by digest, which is how it is deployed."""
        return f"{self.repository_uri}@{self.digest}"
