"""Processes: which one an id means, how a child ends with its parent, and which ports are free."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "SAMJHADOO_STACK_ID"
"""The environment variable with the stack's id, by which a stack's processes are found."""

LOOPBACK = "127.0.0.1"

_DEAD = frozenset("ZXx")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded here: between fork and exec a child must not import, and ought not to allocate.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def start_time(pid: int) -> str:
    """Return when a process started, in units of this system; empty when it is not running.

    Together with the id it names one process: ids are used again. A zombie is not running.
    """
    if sys.platform == "linux":
        fields = stat_fields(pid)
        return "" if not fields or fields[0] in _DEAD else fields[19]
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else repr(process.create_time())
    except psutil.Error:
        return ""


def is_running(pid: int, started: str) -> bool:
    """Return whether the process that started at `started` is still running under this id."""
    return bool(started) and start_time(pid) == started


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/<pid>/stat from the state on; empty when there is no such process."""
    try:
        # The command before them may contain spaces and parentheses.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def die_with_parent(
    signum: int = signal.SIGKILL, *, uid: int | None = None, gid: int | None = None
) -> Callable[[], None]:
    """Return a `preexec_fn` after which the child gets `signum` when its parent ends (prctl(2); Linux only).

    The kernel watches the *thread* that forked: start such children from a thread that lives as long as
    the process. On other systems it only changes the user.

    Args:
        uid: The user that the child runs as, without supplementary groups.
        gid: The group that the child runs as.
    """
    parent = os.getpid()

    def prepare() -> None:
        if gid is not None:
            os.setgroups([])
            os.setgid(gid)
        if uid is not None:
            os.setuid(uid)
        if _LIBC is not None:
            # After the change of user, which clears it.
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


def adopt_orphans() -> bool:
    """Make this process the parent of its descendants' orphans (Linux only); return whether it succeeded."""
    return _LIBC is not None and _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def listen(preferred: int = 0, *, backlog: int = 1024) -> socket.socket:
    """Return a socket that listens on 127.0.0.1, on the preferred port or, when that is taken, a free one."""
    for port in (preferred, 0):
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
            listener.listen(backlog)
        except (OSError, OverflowError):
            listener.close()
            continue
        return listener
    raise OSError("no port of 127.0.0.1 is free")


def free_port(preferred: int = 0) -> int:
    """Return the preferred port if it is free on 127.0.0.1, otherwise a free one."""
    (port,) = free_ports(preferred)
    return port


def free_ports(*preferred: int) -> list[int]:
    """Return a different free port for each preferred one (0: any); see `free_port`."""
    with ExitStack() as held:
        return [int(held.enter_context(listen(port, backlog=1)).getsockname()[1]) for port in preferred]


def is_loopback(host: str) -> bool:
    """Return whether a host, with or without a port, is this machine's loopback interface."""
    for name in (host, host.rpartition(":")[0]):
        if name == "localhost":
            return True
        with suppress(ValueError):
            return ipaddress.ip_address(name.strip("[]")).is_loopback
    return False
