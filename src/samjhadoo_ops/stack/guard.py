"""The guard of a stack: a small process that outlives the supervisor by a moment, to kill what it left.

It waits on a pipe whose other end the supervisor holds. A byte means an orderly end; end of file without one
means that the supervisor was killed: then every process of the stack is killed. A process belongs to a stack
when its environment carries the stack's marker, or when it is a server at work in the stack's folder (servers
overwrite their environment with their title).

Run as a file, without site packages, so that it costs few megabytes: nothing but the standard library here,
but psutil where there is no /proc.
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
    """Return the processes of the stacks whose id begins with `stack`, this process excepted."""
    scan = _scan_proc if (_PROC / "self" / "environ").exists() else _scan_psutil
    return [pid for pid in scan(stack) if pid != os.getpid()]


def sweep(stack: str, *, spare: frozenset[int] = frozenset(), patience: float = _PATIENCE) -> list[int]:
    """Kill the stack's processes until none is left; return those that are, after `patience` seconds.

    Args:
        stack: The stack's id, or its beginning.
        spare: Processes that stay.
        patience: Seconds after which to give up.

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
    """Remove folders of a stack, and those in the temporary folders that are called after it."""
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
            continue  # it ended meanwhile, or belongs to somebody else
    return found


def _belongs(process: str, mark: bytes, folder: str) -> bool:
    if _is_marked(_read(f"{process}/environ"), mark):
        return True
    # pathlib's objects would cost more than the looking.
    return _is_server(os.readlink(f"{process}/exe")) and folder in os.readlink(f"{process}/cwd")  # noqa: PTH115


def _is_marked(environ: bytes, mark: bytes) -> bool:
    return environ.startswith(mark) or b"\0" + mark in environ


def _is_server(program: str) -> bool:
    return program.removesuffix(" (deleted)").rpartition("/")[2] in _SERVERS


def _is_zombie(process: str) -> bool:
    return _read(f"{process}/stat").rpartition(b")")[2].split()[0] == b"Z"


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib's objects cost more than the reading
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
    """Wait for the supervisor's end; `argv` is the stack's id, a folder to remove and where psutil is."""
    stack, folder, *sys.path[len(sys.path) :] = sys.argv[1:]
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    if os.read(0, 1) != ORDERLY:
        sweep(stack)
        # They may be outside the project, where nobody else would look.
        remove_folders(stack, folder)


if __name__ == "__main__":
    main()
