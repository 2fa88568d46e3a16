"""Folders for HOME and TMPDIR, with paths so short that a Unix socket can lie in them."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

LONGEST = 60
"""Characters of a path that leave room for a socket's name: 107 are allowed on Linux, 103 on macOS."""
PREFIX = "samjhadoo-ecs-"
_YOUNG = 60.0
"""Seconds within which a folder may not have been locked yet."""


class ScratchFolders:
    """Numbered folders, in the given one or, if its path is too long, in the system's for temporary files.

    There each emulator locks its own; those of emulators that were killed are removed by the next one.

    Args:
        folder: Where they are, if its path is short enough.
        system: The system's folder for temporary files.
    """

    def __init__(self, folder: Path, system: Path = Path("/tmp")) -> None:  # noqa: S108 - mkdtemp makes it safe
        self._folder = folder
        self._system = system if os.access(system, os.W_OK) else Path(tempfile.gettempdir())
        self._place: Path | None = None
        self._lock = -1
        self._numbers = itertools.count(1)

    def make(self) -> Path:
        """Return a new folder."""
        if self._place is None:
            self._place = self._within() if len(os.fspath(self._folder)) <= LONGEST else self._outside()
        made = self._place / str(next(self._numbers))
        made.mkdir()
        return made

    def remove(self) -> None:
        """Remove all of them."""
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
            self._place = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _within(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)  # what a killed emulator left
        self._folder.mkdir(parents=True)
        return self._folder

    def _outside(self) -> Path:
        for left in self._system.glob(f"{PREFIX}*"):
            with suppress(OSError):
                if left.lstat().st_uid == os.geteuid() and time.time() - left.lstat().st_ctime > _YOUNG:
                    os.close(_locked(left))
                    shutil.rmtree(left, ignore_errors=True)
        place = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._system))
        self._lock = _locked(place)
        return place


def _locked(folder: Path) -> int:
    """Lock a folder until the returned file descriptor is closed, or raise `OSError` if it is locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
