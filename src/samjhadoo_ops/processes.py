"""How processes are started so that none outlives its parent, and how free ports are found."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "SAMJHADOO_STACK_ID"
"""The environment variable that marks the processes of a stack; its value is the stack's id."""

LOOPBACK = "127.0.0.1"

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# Loaded here: between fork and exec a child must not import, and ought not to allocate.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(
    signum: int = signal.SIGKILL, *, uid: int | None = None, gid: int | None = None
) -> Callable[[], None]:
    """Return a `preexec_fn` after which the child gets `signum` when its parent ends (prctl(2); Linux only).

    The kernel watches the *thread* that forked: start such children from a thread that lives as long as
    the process. Elsewhere than on Linux only the change of user is made.

    Args:
        signum: The signal the child gets.
        uid: The user the child runs as; supplementary groups are given up.
        gid: The group the child runs as.

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
    """Make this process the parent of its descendants' orphans (Linux); tell whether that was possible."""
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
    """Return the preferred port when it can be bound on 127.0.0.1, else a free one."""
    (port,) = free_ports(preferred)
    return port


def free_ports(*preferred: int) -> list[int]:
    """Return a port for each one that is preferred, 0 for any: see `free_port`. No two are the same."""
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
