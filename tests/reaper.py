"""Ends what the tests of a killed pytest left behind: `python reaper.py RUN FOLDER`.

Its standard input is a pipe whose other end pytest holds: end of file tells that pytest has ended, however
that came. A process belongs to a run of the tests when its environment carries the run's mark; everything
that tests start inherits it, unless they give an environment of their own.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import time
from contextlib import suppress

import psutil

MARK = "OPS_TEST_RUN"
PATIENCE = 15.0
"""Seconds in which supervisors may take their stacks down before they are killed."""

_ROUND = 0.1


def marked(run: str) -> list[psutil.Process]:
    """Return the living processes of a run of the tests."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def end(run: str, patience: float) -> None:
    """Ask the processes of a run to end; after `patience` seconds kill those that did not."""
    asked: set[int] = set()
    began = time.monotonic()
    while (left := marked(run)) and time.monotonic() - began < patience + PATIENCE:
        late = time.monotonic() - began > patience
        for process in left:
            if late or process.pid not in asked:
                asked.add(process.pid)
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL if late else signal.SIGTERM)
        time.sleep(_ROUND)


def main() -> None:
    """Wait for pytest's end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("folder")
    parser.add_argument("--patience", type=float, default=PATIENCE)
    options = parser.parse_args()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    sys.stdin.buffer.read()
    end(options.run, options.patience)
    shutil.rmtree(options.folder, ignore_errors=True)


if __name__ == "__main__":
    main()
