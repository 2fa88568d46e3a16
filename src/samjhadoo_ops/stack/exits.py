"""How a process that is not our child ended, and the shell above this process."""

from __future__ import annotations

import os
import signal
import struct
from contextlib import suppress

from samjhadoo_ops.processes import is_running, start_time, stat_fields

SHELLS = frozenset(
    {"sh", "bash", "zsh", "fish", "dash", "ksh", "ksh93", "mksh", "tcsh", "csh", "ash", "busybox", "nu"}
)

# struct pidfd_info and PIDFD_GET_INFO of linux/pidfd.h; the exit status is there since Linux 6.15.
_INFO = struct.Struct("=QQ11IiII")
_INFO_EXIT = 1 << 3
_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11


def watching_shell() -> tuple[int, str, str] | None:
    """Return pid, start time and name of the nearest shell above this process in its session, if any."""
    import psutil

    with suppress(psutil.Error, OSError):
        session = os.getsid(0)
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != session:
                return None
            name = parent.name().lstrip("-")
            if name in SHELLS:
                started = start_time(parent.pid)
                return (parent.pid, started, name) if started else None
    return None


def watch(pid: int, started: str) -> int | None:
    """Return a file descriptor that becomes readable when the process ends; None when there is none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if is_running(pid, started):
        return descriptor
    os.close(descriptor)
    return None


def can_watch(pid: int, started: str) -> bool:
    """Return whether the end of a process would be noticed; true where processes cannot be watched at all."""
    if not hasattr(os, "pidfd_open"):
        return True
    descriptor = watch(pid, started)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def ending_signal(descriptor: int, pid: int) -> signal.Signals | None:
    """Return the signal that ended a watched process; None when it exited, or the kernel does not report it.

    Until its parent has waited for it, /proc has its status; afterwards only Linux 6.15 or later has.
    """
    # The parent may wait between the first two calls: then the third has the status.
    for ask in (_of_reaped, _of_zombie, _of_reaped):
        status = ask(descriptor, pid)
        if status is not None:
            return signal.Signals(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
    return None


def _of_reaped(descriptor: int, _: int) -> int | None:
    import fcntl

    info = bytearray(_INFO.size)
    struct.pack_into("=Q", info, 0, _INFO_EXIT)
    try:
        fcntl.ioctl(descriptor, _GET_INFO, info, True)
    except OSError:
        return None
    fields = _INFO.unpack(info)
    return int(fields[-3]) if fields[0] & _INFO_EXIT else None


def _of_zombie(_: int, pid: int) -> int | None:
    fields = stat_fields(pid)
    return int(fields[49]) if fields and fields[0] in "ZX" else None
