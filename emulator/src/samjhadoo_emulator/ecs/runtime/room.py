"""How much of a disk an image may take: a small archive can unpack to more than there is."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import IO

_BLOCK = 4096
_UNIT = 512
"""Bytes in which `st_blocks` counts."""
_CHUNK = 1 << 20


class Room:
    """Half of what is free where a folder is, in bytes and in files.

    Args:
        folder: An existing folder.
    """

    def __init__(self, folder: Path) -> None:
        free = os.statvfs(folder)
        self._folder = folder
        self.bytes = free.f_bavail * free.f_frsize // 2
        # Some file systems have as many files as fit, and report none.
        self.files: float = free.f_favail // 2 if free.f_files else float("inf")

    def take(self, size: int, *, files: int = 0) -> None:
        """Take room for files with some bytes altogether.

        Raises:
            OSError: There is not enough.
        """
        self.bytes -= size + files * _BLOCK
        self.files -= files
        if self.bytes < 0 or self.files < 0:
            what = "bytes" if self.bytes < 0 else "files"
            text = f"it needs more than half of the {what} that are free"
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)}: {text}", os.fspath(self._folder))


def measure(folder: Path) -> tuple[int, int]:
    """Return the number of files below a folder, and the bytes they take on disk."""
    count = size = 0
    for parent, _, names in os.walk(folder):
        count += len(names)
        size += sum(os.lstat(os.path.join(parent, name)).st_blocks for name in names) * _UNIT  # noqa: PTH118
    return count, size


def copy_file(source: str, target: str) -> str:
    """Copy a file with its mode and times, and with its holes, as `copy_function` of `shutil.copytree`."""
    status = os.stat(source)  # noqa: PTH116
    if status.st_blocks * _UNIT >= status.st_size or not hasattr(os, "SEEK_DATA"):
        return shutil.copy2(source, target)
    with Path(source).open("rb") as reader, Path(target).open("xb") as writer:
        position = 0
        while position < status.st_size:
            try:
                start = os.lseek(reader.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                break  # the rest is a hole
            position = os.lseek(reader.fileno(), start, os.SEEK_HOLE)
            copy_range(reader, writer, start, position - start)
        writer.truncate(status.st_size)
    shutil.copystat(source, target)
    return target


def copy_range(reader: IO[bytes], writer: IO[bytes], start: int, size: int) -> None:
    """Copy a range of a file to the same place of another."""
    reader.seek(start)
    writer.seek(start)
    while size > 0 and (data := reader.read(min(size, _CHUNK))):
        writer.write(data)
        size -= len(data)
