"""Removal from the Docker engine: `python -m samjhadoo_emulator.docker_cleanup LABEL=VALUE…`.

The command waits on its standard input. A byte there means an orderly end, and nothing is removed. When the
input ends without one, the process at the other end was killed, or there is none: then every container,
network and volume with all these labels is removed. The exit code is 1 when something is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from samjhadoo_emulator.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDERLY = b"."
_PATIENCE = 10.0


class Reaper:
    """Removes what carries labels from the engine when this process is killed."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        # Without the stack's mark: a signal to all processes of a stack does not end it.
        variables = {name: value for name, value in os.environ.items() if name != MARKER}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "samjhadoo_emulator.docker_cleanup",
                *(f"{name}={value}" for name, value in wanted.items()),
            ],
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


def main() -> None:
    """Wait for the end of the process that holds the pipe, and remove what it left."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    wanted = dict(label.split("=", 1) for label in sys.argv[1:])
    if os.read(0, 1) != ORDERLY:
        from samjhadoo_emulator import docker_engine

        sys.exit(1 if docker_engine.remove(docker_engine.connect(), wanted) else 0)


if __name__ == "__main__":
    main()
