"""The last lines of a container, in a file: for debugging, and for when there is no log service."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 1 << 20


class Transcript:
    """A file of at most 1 MiB, and the one before it under the name `<name>.1`.

    Args:
        path: Where the lines go; created with its folders at the first line.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._size = 0

    def put(self, line: bytes) -> None:
        """Add a line."""
        if self._file is None or self._size > LIMIT:
            self._file = self._next()
            self._size = 0
        self._file.write(line + b"\n")
        self._size += len(line) + 1

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _next(self) -> IO[bytes]:
        self.close()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            self.path.replace(self.path.with_name(f"{self.path.name}.1"))
        return self.path.open("wb", buffering=0)
