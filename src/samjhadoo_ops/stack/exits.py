"""Which processes are alive, and how a process that is not ours ended."""

from __future__ import annotations

import os
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path

SHELLS = frozenset(
    {"sh", "bash", "zsh", "fish", "dash", "ksh", "ksh93", "mksh", "tcsh", "csh", "ash", "busybox", "nu"}
)

# struct pidfd_info and PIDFD_GET_INFO of linux/pidfd.h; the exit status is there since Linux 6.15.
_INFO = struct.Struct("=QQ11IiII")
_INFO_EXIT = 1 << 3
_GET_INFO = (3 << 30) | (_INFO.size << 16) | (0xFF << 8) | 11


def started(pid: int) -> float | None:
    """Return when a process started, on a scale that tells a reused pid; None when it is gone.

    A zombie counts as gone.
    """
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        return None if fields[0] in "ZX" else float(fields[19])
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def is_alive(pid: int, since: float) -> bool:
    """Tell whether the process that started at `since` still runs under this pid."""
    return started(pid) == since


def watching_shell() -> tuple[int, float, str] | None:
    """Return pid, start and name of the nearest shell above this process in its session, if any."""
    import psutil

    with suppress(psutil.Error, OSError):
        session = os.getsid(0)
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != session:
                return None
            name = parent.name().lstrip("-")
            if name in SHELLS:
                since = started(parent.pid)
                return None if since is None else (parent.pid, since, name)
    return None


def watch(pid: int, since: float) -> int | None:
    """Return a descriptor that becomes readable when the process ends; None where that cannot be had."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return None
    if is_alive(pid, since):
        return descriptor
    os.close(descriptor)
    return None


def can_watch(pid: int, since: float) -> bool:
    """Tell whether the end of a process would be noticed; true where no process can be watched at all."""
    if not hasattr(os, "pidfd_open"):
        return True
    descriptor = watch(pid, since)
    if descriptor is None:
        return False
    os.close(descriptor)
    return True


def ending_signal(descriptor: int, pid: int) -> signal.Signals | None:
    """Return the signal that ended a watched process; None when it exited, or the kernel cannot say.

    While its parent has not waited for it, /proc tells; afterwards only Linux 6.15 or later does.
    """
    # The parent may wait between the two questions: then the first one's second asking knows.
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
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[49]) if fields[0] in "ZX" else None
