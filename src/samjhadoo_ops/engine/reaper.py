"""What outlives a process by a moment, to remove from the engine what it left: `Reaper`.

A small process waits on a pipe whose other end the process holds. A byte means an orderly end; end of file
without one means that the process was killed: then everything with its labels is removed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from samjhadoo_ops.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDERLY = b"."
_PATIENCE = 10.0


class Reaper:
    """Removes what carries labels from the engine when this process is killed.

    Args:
        wanted: The labels.

    """

    def __init__(self, wanted: Mapping[str, str]) -> None:
        # Without the stack's mark: whoever ends all processes of a stack leaves it to its work.
        variables = {name: value for name, value in os.environ.items() if name != MARKER}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "samjhadoo_ops.engine.reaper", json.dumps(dict(wanted))],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """Let it end without doing anything."""
        with suppress(OSError), self._process:
            if self._process.stdin is not None:
                self._process.stdin.write(ORDERLY)
                self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)


def sweep(wanted: Mapping[str, str], patience: float) -> bool:
    """Remove what carries labels from the engine, in a process of its own; tell whether it could.

    Args:
        wanted: The labels.
        patience: Real seconds that it may take.

    """
    command = [sys.executable, "-m", "samjhadoo_ops.engine.reaper", json.dumps(dict(wanted))]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=patience, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main() -> None:
    """Wait for the end of whoever holds the pipe; `argv` is the labels as JSON."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    if os.read(0, 1) != ORDERLY:
        from samjhadoo_ops import engine

        sys.exit(1 if engine.remove(engine.connect(), json.loads(sys.argv[1])) else 0)


if __name__ == "__main__":
    main()
