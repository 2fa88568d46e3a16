"""What a snapshot keeps of a registry; blobs are files already."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecr.model import Image, Repository
from samjhadoo_emulator.snapshots.tables import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from samjhadoo_emulator.ecr.registry import Registry
    from samjhadoo_emulator.snapshots.tables import Table


def ecr_tables(registry: Registry) -> Sequence[Table]:
    """Return a registry's tables: repositories without their images, and images."""
    repositories = registry.repositories

    def images() -> Iterator[tuple[str, Image]]:
        for name, repository in repositories.items():
            for digest, image in repository.images.items():
                yield f"{name}@{digest}", image

    def put(key: str, image: Image) -> None:
        repositories[key.partition("@")[0]].images[image.digest] = image

    return (
        Rows.of(
            "repositories",
            repositories,
            Repository,
            plain=lambda repository: replace(repository, images={}, uploads={}),
        ),
        Rows("images", images, put, kind=Image, stamp=lambda image: (image.pulled_at, image.scanned_at)),
    )
