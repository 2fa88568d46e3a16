"""Folders for HOME and TMPDIR, with paths so short that a Unix socket can lie in them."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from pathlib import Path

LONGEST = 60
"""Characters of a path that leave room for a socket's name: 107 are allowed on Linux, 103 on macOS."""


class ScratchFolders:
    """Numbered folders, in the given one or, if its path is too long, in the system's for temporary files.

    Args:
        folder: Where they are, or a link to them, by which the next emulator finds and removes them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)

    def make(self) -> Path:
        """Return a new folder."""
        if not self._folder.is_dir():
            self._prepare()
        place = Path(os.path.realpath(self._folder), str(next(self._numbers)))
        place.mkdir(exist_ok=True)
        return place

    def remove(self) -> None:
        """Remove all of them, also those of an emulator that was killed."""
        shutil.rmtree(os.path.realpath(self._folder), ignore_errors=True)
        if self._folder.is_symlink():
            self._folder.unlink()

    def _prepare(self) -> None:
        self.remove()
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        if len(os.fspath(self._folder)) <= LONGEST:
            self._folder.mkdir()
        else:
            system = "/tmp" if os.access("/tmp", os.W_OK) else None  # noqa: S108 - mkdtemp makes it safe
            self._folder.symlink_to(tempfile.mkdtemp(prefix="ecs-", dir=system))
