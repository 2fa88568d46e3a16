"""Folders of the cache, with a check whether they are intact.

A complete folder is sealed: a manifest beside it records the size, times and checksum of every file. A later
start compares sizes and times (which the kernel updates with every write) and reads a file only if they
differ. So a truncated or edited file is noticed, and an intact folder takes only milliseconds to check.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 20


def manifest(folder: Path) -> Path:
    """Return the path of a folder's manifest."""
    return folder.with_name(f"{folder.name}.manifest.json")


def seal(folder: Path) -> None:
    """Write the manifest of a complete folder; raise `OSError` if a file cannot be read or written."""
    entries = {name: _entry(path) for name, path in _files(folder)}
    target = manifest(folder)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    partial.write_text(json.dumps(entries))
    partial.replace(target)


def intact(folder: Path) -> bool:
    """Return whether a folder has exactly the files of its manifest."""
    try:
        entries: dict[str, list[Any]] = json.loads(manifest(folder).read_text())
        return {name for name, _ in _files(folder)} == set(entries) and all(
            _same(folder / name, entry) for name, entry in entries.items()
        )
    except (OSError, ValueError, TypeError, IndexError, AttributeError):
        return False


def remove(folder: Path) -> None:
    """Remove a folder and its manifest, the manifest first: without one the folder is not intact."""
    manifest(folder).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_dir():
            yield path.relative_to(folder).as_posix(), path


def _entry(path: Path) -> list[Any]:
    if path.is_symlink():
        return [str(path.readlink())]
    status = path.stat()
    return [checksum(path), status.st_size, status.st_mode, status.st_mtime_ns, status.st_ctime_ns]


def _same(path: Path, entry: list[Any]) -> bool:
    if path.is_symlink() or len(entry) == 1:
        return path.is_symlink() and [str(path.readlink())] == entry
    status = path.stat()
    if [status.st_size, status.st_mode] != entry[1:3]:
        return False
    return [status.st_mtime_ns, status.st_ctime_ns] == entry[3:] or checksum(path) == entry[0]
