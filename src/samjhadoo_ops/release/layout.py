"""An image on disk in the OCI image layout: `oci-layout`, `index.json` and blobs named by digest."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
KEPT = 5
"""How many builds are kept on disk."""


@dataclass(frozen=True)
class Layout:
    """An image layout with one manifest."""

    root: Path

    @property
    def blobs(self) -> Path:
        """The folder with the blobs."""
        return self.root / "blobs" / "sha256"

    def blob(self, digest: str) -> Path:
        """Return a blob's file."""
        return self.blobs / digest.partition(":")[2]

    def put_json(self, document: Any) -> tuple[str, int]:
        """Store a document in a reproducible form; return its digest and size."""
        content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        name = hashlib.sha256(content).hexdigest()
        (self.blobs / name).write_bytes(content)
        return f"sha256:{name}", len(content)

    def descriptor(self) -> dict[str, Any]:
        """Return the descriptor of the image's manifest."""
        manifests: list[dict[str, Any]] = json.loads((self.root / "index.json").read_bytes())["manifests"]
        return manifests[0]

    def manifest(self) -> tuple[bytes, dict[str, Any]]:
        """Return the manifest, as bytes and parsed."""
        content = self.blob(self.descriptor()["digest"]).read_bytes()
        return content, json.loads(content)

    def seal(self, descriptor: dict[str, Any]) -> None:
        """Write the index, which names the layout's manifest."""
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [descriptor]}
        (self.root / "index.json").write_text(json.dumps(index, sort_keys=True))
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


@contextlib.contextmanager
def building(folder: Path) -> Iterator[Layout]:
    """Yield a layout to fill; it becomes `folder` if the block succeeds, and is removed otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    layout = Layout(folder.parent / f".{uuid.uuid4().hex}")
    layout.blobs.mkdir(parents=True)
    try:
        yield layout
        _replace(layout.root, folder)
    finally:
        shutil.rmtree(layout.root, ignore_errors=True)
    prune(folder.parent)


def prune(folder: Path, *, keep: int = KEPT) -> None:
    """Remove all builds except the newest ones."""
    builds = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for old in sorted(builds, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def _replace(new: Path, folder: Path) -> None:
    """Replace a folder with another; of two simultaneous builds of one version, the later wins."""
    while True:
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            aside = folder.parent / f".{uuid.uuid4().hex}"
            with contextlib.suppress(FileNotFoundError):
                folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            return
