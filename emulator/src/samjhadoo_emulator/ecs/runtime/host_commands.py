"""Commands of this machine that application images may run, in place of those of their base images.

`python` is the emulator's own interpreter, so that its installed packages replace the base image's. Others
are named on the emulator's command line (`--host-command NAME=COMMAND`), or found on PATH.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")


class HostCommands:
    """Commands of this machine, by the name that application images use.

    Args:
        named: Command lines by name.
    """

    def __init__(self, named: Mapping[str, Sequence[str]]) -> None:
        self._named = {name: list(words) for name, words in named.items()}

    def find(self, name: str) -> list[str] | None:
        """Return the command line for a program as an image names it; None if this machine has none."""
        base = name.rsplit("/", 1)[-1]
        if base in self._named:
            return self._named[base]
        if _PYTHON.fullmatch(base):
            return [sys.executable]
        found = name if "/" in name and os.access(name, os.X_OK) else shutil.which(base)
        return [found] if found else None

    def install(self, folder: Path) -> None:
        """Write an executable for each into a folder that goes on every application's PATH."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("python", "python3", *self._named):
            # A script, not a link: a linked interpreter of a virtual environment would not find its packages.
            command = folder / name
            command.write_text(f'#!/bin/sh\nexec {shlex.join(self.find(name) or [name])} "$@"\n')
            command.chmod(0o755)


def parse_host_command(text: str) -> tuple[str, list[str]]:
    """Return the name and the words of `NAME=COMMAND`.

    Raises:
        ValueError: It has no name or no command, or the name is a path.
    """
    name, _, command = text.partition("=")
    words = shlex.split(command)
    if not name or "/" in name or not words:
        raise ValueError(f"expected NAME=COMMAND, found {text!r}")
    return name, words
