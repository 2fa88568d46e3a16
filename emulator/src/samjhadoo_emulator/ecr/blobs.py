"""Blobs on disk, by digest, and the uploads that become blobs.

An upload writes to a file of its own; only a file whose content has the digest that the client promised
is renamed into place, so nothing half-written is ever visible. All of it blocks, so callers on the event
loop use threads.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEX_LENGTHS: Mapping[str, int] = {"sha256": 64, "sha512": 128}
_DIGEST = re.compile(r"(?P<algorithm>sha256|sha512):(?P<hex>[a-f0-9]+)")


def is_digest(text: str) -> bool:
    """Return whether `text` is a digest of an algorithm that the registry verifies."""
    match = _DIGEST.fullmatch(text)
    return match is not None and len(match["hex"]) == HEX_LENGTHS[match["algorithm"]]


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    """Return the digest of bytes."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


class DigestMismatch(Exception):
    """The content of an upload does not have the digest that was given."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f"expected {expected}, got {actual}")
        self.expected = expected
        self.actual = actual


class Upload:
    """A blob on its way in; appended to in order.

    Attributes:
        id: The session's id.
        size: Bytes received so far.
        parts: Size of each part, in order.
        lock: Held by the request that appends.
        ended: Whether it was finished or cancelled.
    """

    def __init__(self, path: Path) -> None:
        self.id = path.name
        self.size = 0
        self.parts: list[int] = []
        self.lock = asyncio.Lock()
        self.ended = False
        self._path = path
        self._hash = hashlib.sha256()
        path.touch(exist_ok=False)

    def append(self, chunk: bytes | bytearray) -> None:
        """Add bytes at the end."""
        if self.ended:
            raise ValueError("the upload has ended")
        with self._path.open("ab") as file:  # opened each time: abandoned uploads hold nothing open
            file.write(chunk)
        self._hash.update(chunk)
        self.size += len(chunk)

    def mark(self) -> tuple[int, object]:
        """Return a point to which `rewind` can go back."""
        return self.size, self._hash.copy()

    def rewind(self, mark: tuple[int, object]) -> None:
        """Forget everything after `mark`."""
        self.size, self._hash = mark  # type: ignore[assignment]
        os.truncate(self._path, self.size)

    def finish(self, digest: str) -> Path:
        """End the upload and return its file.

        Raises:
            DigestMismatch: The content has another digest; the file is gone.
        """
        self.ended = True
        actual = self._digest(digest.partition(":")[0])
        if actual != digest:
            self._path.unlink()
            raise DigestMismatch(digest, actual)
        return self._path

    def cancel(self) -> None:
        """End the upload and forget everything."""
        self.ended = True
        self._path.unlink(missing_ok=True)

    def _digest(self, algorithm: str) -> str:
        if algorithm == "sha256":
            return f"sha256:{self._hash.hexdigest()}"
        with self._path.open("rb") as file:
            return f"{algorithm}:{hashlib.file_digest(file, algorithm).hexdigest()}"


class BlobStore:
    """Blobs under a folder, one file each, named by digest."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._uploads = root / "uploads"
        for folder in (self._uploads, *(self._blobs / algorithm for algorithm in HEX_LENGTHS)):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        """Return where a blob is, or would be."""
        algorithm, _, name = digest.partition(":")
        return self._blobs / algorithm / name

    def size(self, digest: str) -> int:
        """Return a blob's size in bytes."""
        return self.path(digest).stat().st_size

    def start(self) -> Upload:
        """Begin an upload."""
        return Upload(self._uploads / str(uuid.uuid4()))

    def accept(self, upload: Upload, digest: str) -> int:
        """Make a finished upload a blob; return its size. The same blob again is fine.

        Raises:
            DigestMismatch: The content has another digest.
        """
        upload.finish(digest).replace(self.path(digest))
        return upload.size

    def remove(self, digest: str) -> None:
        """Remove a blob; downloads of it that are under way end undisturbed."""
        with suppress(FileNotFoundError):
            self.path(digest).unlink()
