"""What an executable needs to run, read from its first bytes."""

# ruff: noqa: PLR2004 - the numbers are ELF's layout, elf(5)

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"\x7fELF"
_PT_INTERP = 3
_SHEBANG_LIMIT = 256


def is_elf(path: Path) -> bool:
    """Return whether a file is an ELF executable."""
    with path.open("rb") as file:
        return file.read(4) == _MAGIC


def loader(path: Path) -> str:
    """Return the dynamic loader an ELF file asks for; empty if it is static or not ELF."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:4] != _MAGIC:
            return ""
        wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
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
