"""How processes are started so that none outlives its parent, and how free ports are found."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = "SAMJHADOO_STACK_ID"
"""The environment variable that marks the processes of a stack; its value is the stack's id."""

LOOPBACK = "127.0.0.1"

_PR_SET_PDEATHSIG = 1
# Loaded here: between fork and exec a child must not import, and should not allocate.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> Callable[[], None]:
    """Return a `preexec_fn` after which the child is killed when its parent ends (prctl(2); Linux only).

    The kernel watches the *thread* that forked: start such children from a thread that lives as long as
    the process.
    """
    parent = os.getpid()

    def prepare() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare


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
    with listen(preferred, backlog=1) as listener:
        return int(listener.getsockname()[1])
