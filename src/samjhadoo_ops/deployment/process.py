"""Which process this is, and whether another one still lives.

A process id alone says little: hosts share names, containers share ids, ids are used again. A kernel's
boot, its process namespace, the id and the start time in that kernel's ticks together name one process
for ever. Where there is no /proc, nobody is ever declared dead; the lock's lease decides.
"""

from __future__ import annotations

from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_STATE, _START = 0, 19  # fields of /proc/<pid>/stat behind the command's closing parenthesis
_DEAD = frozenset("ZXx")


def kernel() -> str:
    """Return what names this kernel's boot and process namespace; empty where that is unknown."""
    try:
        return f"{_BOOT.read_text().strip()} {_NAMESPACE.readlink()}"
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """Return when a process started, in its kernel's ticks; empty when it doesn't run (any more)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[_STATE] in _DEAD else fields[_START]


def gone(where: str, pid: int, started: str) -> bool:
    """Tell whether a process is surely gone; one of another kernel never is."""
    return bool(where) and bool(started) and where == kernel() and start_time(pid) != started
