"""What a registry keeps: repositories and their images."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from samjhadoo_emulator.ecr import manifests
    from samjhadoo_emulator.ecr.blobs import Upload


@dataclass
class Image:
    """A manifest in a repository, with the very bytes that were pushed; times are emulated."""

    digest: str
    content: bytes
    manifest: manifests.Manifest
    pushed_at: datetime
    pulled_at: datetime | None = None
    scanned_at: datetime | None = None


@dataclass
class Repository:
    """A repository: its settings, images, tags and the blobs it may serve.

    Attributes:
        preview: The policy of the last lifecycle policy preview, and what it found.
        evaluated_at: When the lifecycle policy was last applied (emulated).
    """

    name: str
    created_at: datetime
    mutability: str = "MUTABLE"
    exclusions: list[str] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    resource_tags: dict[str, str] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    images: dict[str, Image] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    uploads: dict[str, Upload] = field(default_factory=dict)
    preview: tuple[str, list[dict[str, Any]]] | None = None
    evaluated_at: datetime | None = None

    @property
    def scan_on_push(self) -> bool:
        """Whether a push starts a scan."""
        return bool(self.settings.get("imageScanningConfiguration", {}).get("scanOnPush"))

    def tags_of(self, digest: str) -> list[str]:
        """Return an image's tags, sorted."""
        return sorted(tag for tag, tagged in self.tags.items() if tagged == digest)

    def is_immutable(self, tag: str) -> bool:
        """Return whether a tag, once set, stays: the repository's setting and its exclusion filters."""
        excluded = any(fnmatch.fnmatchcase(tag, pattern) for pattern in self.exclusions)
        if self.mutability == "MUTABLE_WITH_EXCLUSION":
            return excluded
        if self.mutability == "IMMUTABLE_WITH_EXCLUSION":
            return not excluded
        return self.mutability == "IMMUTABLE"

    def listing(self, digest: str) -> list[str]:
        """Return the digests of the indexes that list an image."""
        return [image.digest for image in self.images.values() if digest in image.manifest.children]

    def find(self, reference: str) -> Image | None:
        """Return the image with a tag or digest."""
        return self.images.get(self.tags.get(reference, reference))

    def referrers(self, digest: str) -> list[Image]:
        """Return the images whose subject is `digest`, in the order they were pushed."""
        return [image for image in self.images.values() if image.manifest.subject == digest]
