"""The watchdog of a stack: a small process that kills what is left if the supervisor is killed.

It reads from a pipe whose other end the supervisor holds. A byte means an orderly end; end of file without
one means that the supervisor was killed: then the watchdog kills every process of the stack. A process
belongs to a stack if its environment has the stack's marker, or if it is a server working in the stack's
folder (servers overwrite their environment with their title).

It runs as a file, without site packages, so that it needs only a few megabytes: it imports the standard
library only, and psutil where there is no /proc.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

MARKER = "SAMJHADOO_STACK_ID"
FOLDER_PREFIX = "samjhadoo-"
ORDERLY = b"."
_SERVERS = {"postgres", "redis-server"}
_PROC = Path("/proc")
_PATIENCE = 5.0
_ROUND = 0.05


def members(stack: str) -> list[int]:
    """Return the processes of the stacks whose id begins with `stack`, except this process."""
    scan = _scan_proc if (_PROC / "self" / "environ").exists() else _scan_psutil
    return [pid for pid in scan(stack) if pid != os.getpid()]


def sweep(stack: str, *, spare: frozenset[int] = frozenset(), patience: float = _PATIENCE) -> list[int]:
    """Kill the stack's processes until none is left; return those still running after `patience` seconds.

    Args:
        stack: The stack's id, or its beginning.
        spare: Processes that are not killed.
        patience: Real seconds after which to give up.
    """
    deadline = time.monotonic() + patience
    while left := [pid for pid in members(stack) if pid not in spare]:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            break
        time.sleep(_ROUND)
    return left


def remove_folders(stack: str, *folders: str) -> None:
    """Remove folders of a stack, and the folders named after it in the temporary folders."""
    import shutil
    import tempfile

    parents = dict.fromkeys([tempfile.gettempdir(), "/tmp", "/var/tmp"])  # noqa: S108
    named = [str(found) for parent in parents for found in Path(parent).glob(f"{FOLDER_PREFIX}{stack}*")]
    for folder in filter(None, (*folders, *named)):
        shutil.rmtree(folder, ignore_errors=True)


def _scan_proc(stack: str) -> list[int]:
    mark = f"{MARKER}={stack}".encode()
    folder = f"/{FOLDER_PREFIX}{stack}"
    found = []
    for entry in os.scandir(_PROC):
        if not entry.name.isdigit():
            continue
        try:
            if _belongs(entry.path, mark, folder) and not _is_zombie(entry.path):
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile, or belongs to another user
    return found


def _belongs(process: str, mark: bytes, folder: str) -> bool:
    if _is_marked(_read(f"{process}/environ"), mark):
        return True
    # pathlib's objects would cost more than the calls.
    return _is_server(os.readlink(f"{process}/exe")) and folder in os.readlink(f"{process}/cwd")  # noqa: PTH115


def _is_marked(environ: bytes, mark: bytes) -> bool:
    return environ.startswith(mark) or b"\0" + mark in environ


def _is_server(program: str) -> bool:
    return program.removesuffix(" (deleted)").rpartition("/")[2] in _SERVERS


def _is_zombie(process: str) -> bool:
    return _read(f"{process}/stat").rpartition(b")")[2].split()[0] == b"Z"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib's objects cost more than the read
        return file.read()


def _scan_psutil(stack: str) -> list[int]:
    import psutil

    folder = f"/{FOLDER_PREFIX}{stack}"
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER, "").startswith(stack) or (
                process.name() in _SERVERS and folder in process.cwd()
            ):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def main() -> None:
    """Wait for the supervisor's end; `argv` has the stack's id, a folder to remove and psutil's folder."""
    stack, folder, *sys.path[len(sys.path) :] = sys.argv[1:]
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    if os.read(0, 1) != ORDERLY:
        sweep(stack)
        # They may be outside the project, where nothing else removes them.
        remove_folders(stack, folder)


if __name__ == "__main__":
    main()
