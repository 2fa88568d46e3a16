"""Image layers: files of the build context as a reproducible tar archive.

Entries are sorted; times, owners and modes come from the Dockerfile, not from this machine.
"""

from __future__ import annotations

import fnmatch
import gzip
import hashlib
import os
import posixpath
import stat
import tarfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.context import file_mode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from samjhadoo_ops.release.context import BuildContext
    from samjhadoo_ops.release.recipe import Copy

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
LEVEL = 3  # takes a third of the time of level 6, for layers that are 5 % larger
# Folders of usual base images; a layer must not change their owners and modes.
_USUAL = frozenset(
    {
        *("bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "proc", "root", "run"),
        *(
            "sbin",
            "srv",
            "sys",
            "tmp",
            "usr",
            "var",
            "usr/bin",
            "usr/lib",
            "usr/sbin",
            "usr/share",
            "usr/local",
        ),
        *("usr/local/bin", "usr/local/lib", "usr/local/share", "var/cache", "var/lib", "var/log", "var/tmp"),
    }
)


@dataclass(frozen=True)
class LayerEntry:
    """A file, folder or link of a layer.

    Attributes:
        path: The path in the image, without a leading slash.
        source: The file with its content; None for folders and links.
        link: The target of a link; empty otherwise.
        uid: Owner; `gid` its group.
    """

    path: str
    mode: int
    uid: int = 0
    gid: int = 0
    source: Path | None = None
    link: str = ""


@dataclass(frozen=True)
class Layer:
    """A layer's file: the digests of the archive, compressed and not, and its compressed size in bytes."""

    digest: str
    diff_id: str
    size: int
    media_type: str = LAYER_TYPE

    def descriptor(self) -> dict[str, object]:
        """Return the layer's descriptor for a manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def folder(path: str) -> list[LayerEntry]:
    """Return the entry of a folder that WORKDIR creates; none for folders of usual base images."""
    name = path.strip("/")
    return [] if not name or name in _USUAL else [LayerEntry(name, 0o755)]


def copied(
    copy: Copy, context: BuildContext, *, name: str, known: frozenset[str] = frozenset()
) -> list[LayerEntry]:
    """Return the entries that a COPY creates, sorted.

    Args:
        name: The Dockerfile's name in errors.
        known: Absolute paths of folders in the image.

    Raises:
        ConfigurationError: A source is missing, outside the context, or neither file, folder nor link.
    """
    where = f"{name}:{copy.line}"
    found: dict[str, LayerEntry] = {}
    sources = [match for source in copy.sources for match in _matches(source, context, where)]
    into = copy.into or copy.destination in known or len(sources) > 1
    for source in sources:
        path = context.root / source
        if path.is_dir():
            entries = list(_tree(copy, context, source, where))
        else:
            target = (
                posixpath.join(copy.destination, posixpath.basename(source)) if into else copy.destination
            )
            entries = [_entry(copy, _inside(path, context, where), target, where)]
        found.update((entry.path, entry) for entry in entries)
    return [found[path] for path in sorted(found)]


def write(entries: Sequence[LayerEntry], folder: Path) -> Layer:
    """Write a layer into a folder, named by its digest, and return it."""
    unfinished = folder / ".layer"
    with unfinished.open("wb") as file:
        compressed = _Hashed(file)
        with gzip.GzipFile("", "wb", LEVEL, compressed, mtime=0) as packed:
            archive = _Hashed(packed)
            with tarfile.open(fileobj=archive, mode="w|", format=tarfile.PAX_FORMAT) as tar:  # type: ignore[call-overload]
                for entry in entries:
                    _add(tar, entry)
    layer = Layer(compressed.digest, archive.digest, compressed.size)
    unfinished.replace(folder / layer.digest.partition(":")[2])
    return layer


def _add(tar: tarfile.TarFile, entry: LayerEntry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode, info.uid, info.gid, info.mtime = entry.mode, entry.uid, entry.gid, 0
    if entry.source is None:
        info.type = tarfile.SYMTYPE if entry.link else tarfile.DIRTYPE
        info.linkname = entry.link
        tar.addfile(info)
        return
    with entry.source.open("rb") as content:
        info.size = os.fstat(content.fileno()).st_size
        tar.addfile(info, content)


def _matches(source: str, context: BuildContext, where: str) -> Iterator[str]:
    """Yield the paths of the context that match a source, which may be a pattern."""
    path = posixpath.normpath(source.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise ConfigurationError(f"{where}: {source} is outside the build context {context.root}")
    if path == ".":
        yield ""
        return
    if any(character in path for character in "*?["):
        found = [name for name in _glob(context.root, path.split("/")) if not context.ignores(name)]
    else:
        found = [path] if os.path.lexists(context.root / path) and not context.ignores(path) else []
    if not found:
        ignored = context.ignores(path) and os.path.lexists(context.root / path)
        reason = "excluded by .dockerignore" if ignored else "not in the build context"
        raise ConfigurationError(f"{where}: {source} is {reason} ({context.root})")
    yield from found


def _glob(root: Path, pattern: Sequence[str], start: str = "") -> Iterator[str]:
    """Yield the paths that match a pattern as in Go's filepath.Match: part by part, with hidden files."""
    folder = root / start
    if not folder.is_dir():
        return
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names are all that is needed
        if fnmatch.fnmatchcase(name, pattern[0]):
            path = f"{start}/{name}" if start else name
            if len(pattern) == 1:
                yield path
            else:
                yield from _glob(root, pattern[1:], path)


def _tree(copy: Copy, context: BuildContext, source: str, where: str) -> Iterator[LayerEntry]:
    """Yield the entries of a folder of the context, with their paths below the destination."""
    top = copy.destination.strip("/")
    if top and top not in _USUAL:
        yield LayerEntry(top, copy.mode or 0o755, copy.uid, copy.gid)
    for path in context.walk(source):
        inner = path.removeprefix(source).lstrip("/")
        yield _entry(copy, context.root / path, posixpath.join(copy.destination, inner), where)


def _entry(copy: Copy, path: Path, target: str, where: str) -> LayerEntry:
    status = path.lstat()
    name = target.strip("/")
    if stat.S_ISLNK(status.st_mode):
        return LayerEntry(name, 0o777, copy.uid, copy.gid, link=str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return LayerEntry(name, copy.mode or 0o755, copy.uid, copy.gid)
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{where}: {path} is neither a file nor a folder nor a link")
    return LayerEntry(name, copy.mode or file_mode(status), copy.uid, copy.gid, source=path)


def _inside(path: Path, context: BuildContext, where: str) -> Path:
    """Return the file that a source resolves to; links may not leave the build context."""
    resolved = path.resolve()
    if not resolved.is_relative_to(context.root.resolve()):
        raise ConfigurationError(f"{where}: {path} leads out of the build context")
    return resolved


class _Hashed:
    """Writes to a file, and computes digest and size of what was written."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
