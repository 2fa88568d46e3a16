"""Image layers: files of the build context as a reproducible tar archive.

Entries are sorted; times, owners and modes come from the Dockerfile, not from this machine.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import posixpath
import stat
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.context import file_mode, shown
from samjhadoo_ops.release.patterns import expression

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from samjhadoo_ops.release.context import BuildContext
    from samjhadoo_ops.release.recipe import Copy

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
LEVEL = 3  # takes a third of the time of level 6, for layers that are 5 % larger
USUAL = frozenset(
    """
    bin boot dev etc etc/profile.d etc/ssl etc/ssl/certs home lib lib64 media mnt opt proc root run sbin srv
    sys tmp usr usr/bin usr/include usr/lib usr/libexec usr/local usr/local/bin usr/local/etc usr/local/lib
    usr/local/sbin usr/local/share usr/sbin usr/share usr/src var var/cache var/lib var/local var/log
    var/mail var/opt var/run var/spool var/tmp
    """.split()  # noqa: SIM905 - a list would be as long as a page
)
"""Folders of usual base images; a layer must not change their owners and modes."""
MOST_LINKS = 40


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


class Folders:
    """The folders that an image is known to have: a file that is copied to one goes into it.

    Args:
        names: Paths without a leading slash.
        layers: Layers whose folders are read when they are needed first, the lowest first.
    """

    def __init__(self, names: Iterable[str] = (), layers: Iterable[Path] = ()) -> None:
        self._names = {"", *names}
        self._links: dict[str, str] = {}
        self._unread = list(layers)
        self._later: list[LayerEntry] = []

    def __contains__(self, path: str) -> bool:
        """Return whether a path is a folder, or a link to one."""
        name = posixpath.normpath(path).strip("/")
        if self._unread and name not in self._names:
            self._read()
        for _ in range(MOST_LINKS):
            if name not in self._links:
                break
            name = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), self._links[name])).strip(
                "/"
            )
        return name in self._names

    def add(self, entries: Iterable[LayerEntry]) -> None:
        """Add what a layer brings."""
        for entry in entries:
            if self._unread:
                self._later.append(entry)
            self._add(entry.path, is_folder=entry.source is None and not entry.link, link=entry.link)

    def _add(self, name: str, *, is_folder: bool, link: str) -> None:
        parents = name.split("/")
        self._names.update("/".join(parents[:count]) for count in range(1, len(parents)))
        self._links.pop(name, None)
        if is_folder:
            self._names.add(name)
        else:
            self._names.discard(name)
        if link:
            self._links[name] = link

    def _read(self) -> None:
        layers, self._unread = self._unread, []
        for layer in layers:
            with suppress(tarfile.ReadError), tarfile.open(layer) as archive:
                for member in archive:
                    name = posixpath.normpath(member.name).strip("/")
                    parent, _, last = name.rpartition("/")
                    if last.startswith(".wh."):
                        self._names.discard(posixpath.join(parent, last.removeprefix(".wh.")))
                    else:
                        self._add(
                            name, is_folder=member.isdir(), link=member.linkname if member.issym() else ""
                        )
        self.add(self._later)


def folder(path: str) -> list[LayerEntry]:
    """Return the entry of a folder that WORKDIR creates; none for folders of usual base images."""
    name = path.strip("/")
    return [] if not name or name in USUAL else [LayerEntry(name, 0o755)]


def copied(copy: Copy, context: BuildContext, known: Folders, *, name: str) -> list[LayerEntry]:
    """Return the entries that a COPY creates, sorted.

    Args:
        known: The folders that the image has so far.
        name: The Dockerfile's name in errors.

    Raises:
        ConfigurationError: A source is missing, outside the context, or neither file, folder nor link.
    """
    where = f"{name}:{copy.line}"
    found: dict[str, LayerEntry] = {}
    sources = [match for source in copy.sources for match in _matches(source, context, where)]
    if not sources:
        missing = shown(" ".join(copy.sources))
        raise ConfigurationError(f"{where}: {missing} is not in the build context ({context.root})")
    into = copy.into or len(sources) > 1 or copy.destination in known
    for source in sources:
        path = _resolved(source, context, where)
        if (context.root / path).is_dir():
            entries = list(_tree(copy, context, path, where))
        else:
            target = (
                posixpath.join(copy.destination, posixpath.basename(source)) if into else copy.destination
            )
            entries = [_entry(copy, context.root / path, target, where)]
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


def _matches(source: str, context: BuildContext, where: str) -> list[str]:
    """Return the paths of the context that match a source; none for a pattern that nothing matches."""
    path = posixpath.normpath(source.lstrip("/") or ".")
    if path == ".." or path.startswith("../"):
        raise ConfigurationError(f"{where}: {source} is outside the build context {context.root}")
    if any(character in path for character in "*?[\\"):
        try:
            return [name for name in _glob(context, path.split("/")) if context.has(name)]
        except ValueError as error:
            raise ConfigurationError(f"{where}: {error}") from error
    path = "" if path == "." else path
    real = _resolved(posixpath.dirname(path), context, where)
    if not context.has(posixpath.join(real, posixpath.basename(path))):
        exists = os.path.lexists(context.root / path)
        reason = "excluded by .dockerignore" if exists else "not in the build context"
        raise ConfigurationError(f"{where}: {shown(source)} is {reason} ({context.root})")
    return [path]


def _glob(context: BuildContext, pattern: Sequence[str], start: str = "") -> Iterator[str]:
    """Yield the paths that match a pattern, part by part, with hidden files."""
    folder = context.root / start
    if not folder.is_dir():
        return
    wanted = expression(pattern[0])
    for name in sorted(os.listdir(folder)):  # noqa: PTH208 - names are all that is needed
        if wanted.fullmatch(name):
            path = f"{start}/{name}" if start else name
            if len(pattern) == 1:
                yield path
            else:
                yield from _glob(context, pattern[1:], path)


def _tree(copy: Copy, context: BuildContext, source: str, where: str) -> Iterator[LayerEntry]:
    """Yield the entries of a folder of the context, with their paths below the destination."""
    top = copy.destination.strip("/")
    if top and top not in USUAL:
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
        raise ConfigurationError(f"{where}: {shown(str(path))} is neither a file nor a folder nor a link")
    return LayerEntry(name, copy.mode or file_mode(status), copy.uid, copy.gid, source=path)


def _resolved(source: str, context: BuildContext, where: str) -> str:
    try:
        return context.resolve(source)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error


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
