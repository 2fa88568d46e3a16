"""Unpacks image layers into a folder: whiteouts honoured, nothing ever written outside the folder.

Every path in a layer is resolved inside the folder as it would be inside a container: symbolic links are
followed within the folder only, and `..` stops at its top. Device nodes, sockets and pipes are left out, and
set-user-id bits are dropped: the folder lies in the host's file system, where they would mean something.
Holes of sparse files stay holes, and what unpacks to more than the disk has room for is refused.
Absolute symbolic links are made relative, so that they lead to the same file inside and outside a container.
"""

from __future__ import annotations

import gzip
import os
import shutil
import sys
import tarfile
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.contract import CannotPullError
from samjhadoo_emulator.ecs.runtime.room import Room, copy_range

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Iterator

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
MODES = 0o1777
MOST_LINKS = 40
MOST_HEADERS = 8 << 20
"""Bytes that the headers of an entry may take; they are read into memory."""
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpack(layer: Path, root: Path, room: Room) -> None:
    """Unpack a layer (tar; plain, gzip or zstd) over what is in `root`.

    Args:
        room: What the image may still take.

    Raises:
        CannotPullError: The layer is damaged or too large, or its compression is not known here.
    """
    written: set[Path] = set()
    try:
        with _opened(layer) as plain:
            stream = _Bounded(plain, room)
            with tarfile.open(fileobj=stream, mode="r|", errorlevel=2) as archive:  # type: ignore[call-overload]
                for member in _members(archive, stream):
                    _unpack_member(archive, member, root, written)
    except (tarfile.TarError, EOFError, zstd.ZstdError, OSError) as error:
        raise CannotPullError(f"failed to extract layer: {error}") from error


class _Bounded:
    """A stream from which no more is read than there is room for, and not too much at once for headers."""

    def __init__(self, stream: IO[bytes], room: Room) -> None:
        self._stream = stream
        self._room = room
        self.position = 0
        self.limit = MOST_HEADERS

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.position += len(data)
        self._room.take(len(data))
        if self.position > self.limit:
            raise tarfile.ReadError(f"the headers of an entry take more than {MOST_HEADERS >> 20} MiB")
        return data

    def start_member(self) -> None:
        """Take room for a file, and read as much as it has."""
        self._room.take(0, files=1)
        self.limit = sys.maxsize

    def end_member(self, end: int) -> None:
        """Read the headers of the next entry, which begin at a position."""
        self.limit = max(self.position, end) + MOST_HEADERS


def _members(archive: tarfile.TarFile, stream: _Bounded) -> Iterator[tarfile.TarInfo]:
    while (member := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined] # it would keep all of them in memory
        stream.start_member()
        yield member
        stream.end_member(archive.offset)


def inside(root: Path, name: str, *, last: bool = False) -> Path:
    """Return where a container's path lies under `root`, its links followed inside it; the last if `last`.

    Raises:
        OSError: The links lead in a circle.
    """
    current: list[str] = []
    pending = [part for part in reversed(PurePosixPath(name).parts) if part != "/"]
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            current = current[:-1]
        elif part != ".":
            path = root.joinpath(*current, part)
            if (pending or last) and path.is_symlink():
                links += 1
                if links > MOST_LINKS:
                    raise OSError(f"too many symbolic links in {name}")
                target = PurePosixPath(path.readlink())
                if target.is_absolute():
                    current = []
                pending.extend(each for each in reversed(target.parts) if each != "/")
            else:
                current.append(part)
    return root.joinpath(*current)


def follow(root: Path, name: str) -> Path | None:
    """Return the file or folder that a container's path leads to under `root`; None if there is none."""
    try:
        path = inside(root, name, last=True)
    except OSError:
        return None
    return path if path.exists() else None


def _unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path, written: set[Path]) -> None:
    path = inside(root, member.name)
    if path == root:
        return
    if path.name.startswith(WHITEOUT):
        _remove(path, root, written)
        return
    _make_parents(path.parent, root)
    if member.isdir():
        if not path.is_dir() or path.is_symlink():
            _discard(path)
            path.mkdir()
    else:
        _discard(path)
        if member.isreg():
            with path.open("xb") as target:
                _write(archive, member, target)
        elif member.issym():
            path.symlink_to(_relative(member.linkname, path, root))
        elif member.islnk():
            os.link(inside(root, member.linkname), path, follow_symlinks=False)
        else:
            return
    _mark(path, member)
    written.add(path)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, target: IO[bytes]) -> None:
    buffered: Any = archive.extractfile(member)  # whose buffer cannot be moved in a stream
    parts: Any = member.sparse or [(0, member.size)]
    for start, size in parts:
        copy_range(buffered.raw, target, start, size)
    target.truncate(member.size)


def _mark(path: Path, member: tarfile.TarInfo) -> None:
    if os.geteuid() == 0:
        os.chown(path, member.uid, member.gid, follow_symlinks=False)
    if not member.issym():
        # The owner must be able to copy and to remove what an image brings.
        path.chmod(member.mode & MODES | (0o700 if member.isdir() else 0o600))
        if member.isreg():
            os.utime(path, (member.mtime, member.mtime))


def _make_parents(folder: Path, root: Path) -> None:
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o755)


def _remove(whiteout: Path, root: Path, written: set[Path]) -> None:
    """Remove what lower layers hold; what this layer has written stays, in whichever order it comes."""
    if whiteout.name != OPAQUE:
        victim = whiteout.with_name(whiteout.name.removeprefix(WHITEOUT))
        if (
            victim not in written
            and victim.name not in ("", ".", "..")
            and victim.parent.is_relative_to(root)
        ):
            _discard(victim)
        return
    keep = {each for path in written for each in (path, *path.parents)}
    for folder, folders, files in os.walk(whiteout.parent, topdown=False):
        for name in (*files, *folders):
            path = Path(folder, name)
            if path not in keep:
                _discard(path)


def _discard(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def _relative(target: str, link: Path, root: Path) -> str:
    if not target.startswith("/"):
        return target
    return os.path.relpath(root.joinpath(*PurePosixPath(target).parts[1:]), link.parent)


@contextmanager
def _opened(layer: Path) -> Iterator[IO[bytes]]:
    with layer.open("rb") as file:
        start = file.read(4)
        file.seek(0)
        if start[:2] == _GZIP:
            with gzip.open(file) as plain:
                yield plain  # type: ignore[misc]
        elif start == _ZSTD:
            with zstd.open(file) as plain_zstd:
                yield plain_zstd  # type: ignore[misc]
        else:
            yield file
