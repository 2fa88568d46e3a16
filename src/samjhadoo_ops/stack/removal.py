"""Removal of a stack's containers, networks and volumes by a process that outlives the stack.

That process is the emulator's `docker_cleanup`: it reads from a pipe, and removes everything with the stack's
labels when the pipe is closed without a byte.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from samjhadoo_ops.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping

REMOVAL_TIME = 30.0
"""Real seconds that a removal may take."""
_ORDERLY = b"."
_PATIENCE = 10.0


class Reaper:
    """Removes everything with certain labels from the engine if this process is killed."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        # Without the stack's marker: it has to stay when all processes of the stack are ended.
        variables = {name: value for name, value in os.environ.items() if name != MARKER}
        self._process = subprocess.Popen(
            _command(wanted),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End it; it removes nothing."""
        with suppress(OSError), self._process:
            if self._process.stdin is not None:
                self._process.stdin.write(_ORDERLY)
                self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)


def remove(wanted: Mapping[str, str]) -> bool:
    """Remove everything with certain labels from the engine; return whether that succeeded."""
    try:
        done = subprocess.run(_command(wanted), stdin=subprocess.DEVNULL, timeout=REMOVAL_TIME, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _command(wanted: Mapping[str, str]) -> list[str]:
    labels = (f"{name}={value}" for name, value in wanted.items())
    return [sys.executable, "-m", "samjhadoo_emulator.docker_cleanup", *labels]
