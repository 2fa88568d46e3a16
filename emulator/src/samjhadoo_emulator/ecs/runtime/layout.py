"""How an image is laid out, and so how its processes run on this host.

An *application* image brings an application but no userland: a daemonless builder's single layer of `/app`,
or one static executable. Its paths are mapped to the folder it is unpacked in, and what the base image would
supply (an interpreter, a shell) comes from the host.

A *complete* image brings its own loader and libraries. Its processes run inside its root file system.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime.layers import follow

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from samjhadoo_emulator.ecs.runtime.contract import ImageConfig

_MAGIC = b"\x7fELF"
_PT_INTERP = 3
_SHEBANG_LIMIT = 256


def is_elf(path: Path) -> bool:
    """Return whether a file is an ELF executable."""
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def loader(path: Path) -> str:
    """Return the dynamic loader that an ELF file needs; empty if it is static or not ELF."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] != _MAGIC:
            return ""
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"  # noqa: PLR2004 - elf(5)
        layout = f"{order}Q" if wide else f"{order}I"
        (table,) = struct.unpack_from(layout, head, 32 if wide else 28)
        size, count = struct.unpack_from(f"{order}HH", head, 54 if wide else 42)
        for index in range(count):
            file.seek(table + index * size)
            entry = file.read(size)
            if struct.unpack_from(f"{order}I", entry)[0] == _PT_INTERP:
                (offset,) = struct.unpack_from(layout, entry, 8 if wide else 4)
                (length,) = struct.unpack_from(layout, entry, 32 if wide else 16)
                file.seek(offset)
                return os.fsdecode(file.read(length).rstrip(b"\0"))
    return ""


def shebang(path: Path) -> list[str]:
    """Return the interpreter of a script and its one argument; empty if it is not a script."""
    with path.open("rb") as file:
        head = file.read(_SHEBANG_LIMIT)
    if not head.startswith(b"#!"):
        return []
    line = os.fsdecode(head[2:].split(b"\n", 1)[0]).strip()
    return line.split(None, 1)


DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SCRIPT_DEPTH = 4
# A path in a command line or a variable: from a slash that starts a word, to where the word ends.
_PATH = re.compile(r"(?<![\w./@%+~-])/[\w.@%+~-][\w./@%+~-]*")


def composed(
    config: ImageConfig, entry_point: Sequence[str] | None, command: Sequence[str] | None
) -> list[str]:
    """Return the command line by Docker's rules: a new entry point drops the image's own command."""
    if entry_point is not None:
        return [*entry_point, *(command or ())]
    return [*config.entry_point, *(config.command if command is None else command)]


def search(root: Path, name: str, *, path: str, folder: str) -> Path | None:
    """Return the executable that a name means inside a root file system; None if it is not in there."""
    if "/" in name:
        places = [name if name.startswith("/") else f"{folder or '/'}/{name}"]
    else:
        places = [f"{entry}/{name}" for entry in path.split(":") if entry.startswith("/")]
    for place in places:
        found = follow(root, place)
        if found is not None and found.is_file() and found.stat().st_mode & stat.S_IXUSR:
            return found
    return None


def is_complete(root: Path, argv: Sequence[str], *, path: str, folder: str) -> bool:
    """Return whether an image brings all that its entry executable needs to run inside it."""
    name = argv[0]
    for _ in range(_SCRIPT_DEPTH):
        executable = search(root, name, path=path, folder=folder)
        if executable is None:
            return False
        interpreter = shebang(executable)
        if not interpreter:
            break
        name = interpreter[0]
        if os.path.basename(name) == "env" and len(interpreter) > 1:  # noqa: PTH119 - a container's path
            name = interpreter[1].split()[-1]
    else:
        return False
    needed = loader(executable)
    if needed:
        return follow(root, needed) is not None
    # A static executable needs nothing, but where there is a shell there is a userland to live in.
    return is_elf(executable) and follow(root, "/bin/sh") is not None


def mapped(text: str, *, image: Path, root: Path) -> str:
    """Return a text with every absolute path of the image replaced by where it lies on the host.

    A path is the image's if the image holds it, or holds its folder and the host has no such path: a file
    that the application is going to make.

    Args:
        text: A word of a command line or the value of a variable.
        image: The unpacked image, asked which paths there are.
        root: The folder that stands for `/` on the host.
    """

    def replace(match: re.Match[str]) -> str:
        found = match[0]
        bare = found.rstrip("/.")
        folder = bare.rpartition("/")[0]
        held = bare and os.path.lexists(f"{image}{bare}")
        coming = folder and os.path.isdir(f"{image}{folder}") and not os.path.lexists(bare)  # noqa: PTH112
        return f"{root}{found}" if held or coming else found

    return _PATH.sub(replace, text)
