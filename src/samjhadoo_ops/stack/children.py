"""The supervisor's child processes: how they are started, so that none outlives it, awaited and ended."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.processes import MARKER, adopt_orphans, die_with_parent
from samjhadoo_ops.stack import watchdog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.stack.plan import Account

_GRACE = 2.0
_TICK = 0.02
_TAIL = 15


class StartFailed(Exception):
    """A process, or the whole stack, could not be started."""

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details


@dataclass
class Child:
    """A process that the supervisor started.

    Attributes:
        grace: Real seconds between its stop signal and SIGKILL.
        last: Whether it is ended after the others.
        status: Its wait status once it has ended.
    """

    name: str
    pid: int
    log: Path
    stop_signal: signal.Signals
    grace: float
    last: bool
    status: int | None = None

    def ending(self) -> str:
        """Describe how it ended."""
        if self.status is None:
            return f"{self.name} ({self.pid}) is running"
        if os.WIFSIGNALED(self.status):
            return f"{self.name} ({self.pid}) was killed by {signal.Signals(os.WTERMSIG(self.status)).name}"
        return f"{self.name} ({self.pid}) exited with code {os.WEXITSTATUS(self.status)}"

    def tail(self) -> tuple[str, ...]:
        """Return the last lines of its log."""
        with suppress(OSError):
            return tuple(self.log.read_text(errors="replace").splitlines()[-_TAIL:])
        return ()


class Children:
    """Starts, waits for and ends the processes of one stack.

    Made once in a process, from its main thread: it takes over the process's signals.

    Args:
        stack: The stack's id; every process has it in its environment.
        folder: The working directory of processes that name no other.
        logs: The folder of their output, one file for each name.
        scratch: A folder that is removed when the supervisor is killed.
    """

    def __init__(self, stack: str, folder: Path, logs: Path, *, scratch: Path) -> None:
        self.asked_to_end = False
        self._stack = stack
        self._folder = folder
        self._logs = logs
        self._children: dict[int, Child] = {}
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._wakeup, self._waker = socket.socketpair()
        self._listen_to_signals()
        adopt_orphans()
        self._watchdog = self._start_watchdog(scratch)

    @property
    def all(self) -> list[Child]:
        """The children that were started and not yet returned by `take_ended`."""
        return list(self._children.values())

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        stop: signal.Signals,
        pass_fds: tuple[int, ...] = (),
        folder: Path | None = None,
        variables: dict[str, str] | None = None,
        account: Account | None = None,
        grace: float = _GRACE,
        last: bool = False,
    ) -> None:
        """Start a process.

        Args:
            stop: The signal that stops it.
            pass_fds: The file descriptors that it inherits.
            folder: Its working directory.
            variables: Added to its environment.
            account: The user that it runs as.
            grace: Real seconds between the stop signal and SIGKILL.
            last: End it after the others.

        Raises:
            StartFailed: It could not be started.
        """
        log = self._logs / f"{name}.log"
        uid, gid = (account.uid, account.gid) if account else (None, None)
        with log.open("ab") as output:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder or self._folder,
                    env={**_plain_environment(), **(variables or {}), MARKER: self._stack},
                    pass_fds=pass_fds,
                    preexec_fn=die_with_parent(uid=uid, gid=gid),  # noqa: PLW1509 - there is one thread
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise StartFailed(f"{name} ({command[0]}) could not be started: {error}") from error
        self._started[process.pid] = process
        self._children[process.pid] = Child(name, process.pid, log, stop, grace, last)

    def wait(self, timeout: float | None, *, also: Sequence[int] = ()) -> None:
        """Wait for a signal, a descriptor in `also` or the timeout; record which children ended."""
        select.select([self._wakeup.fileno(), *also], [], [], timeout)
        with suppress(BlockingIOError):
            if {signal.SIGTERM, signal.SIGINT} & set(self._wakeup.recv(4096)):
                self.asked_to_end = True
        self._reap()

    def take_ended(self) -> list[Child]:
        """Return the children that ended since the last call."""
        ended = [child for child in self._children.values() if child.status is not None]
        for child in ended:
            del self._children[child.pid]
        return ended

    def watchdog_ending(self) -> str:
        """Describe how the watchdog ended; empty while it runs."""
        return "" if self._watchdog.returncode is None else f"watchdog ({self._watchdog.pid}) was killed"

    def end(self) -> None:
        """End every process of the stack: by its stop signal first, then by SIGKILL."""
        for last in (False, True):
            self._end([child for child in self._children.values() if child.last == last])
        watchdog.sweep(self._stack, spare=frozenset({os.getpid(), self._watchdog.pid}))
        self._reap()
        self._children.clear()

    def _end(self, children: Sequence[Child]) -> None:
        """Signal processes to end, and wait for each until its grace period is over."""
        for child in children:
            if child.status is None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, child.stop_signal)
        began = time.monotonic()
        while any(child.status is None and time.monotonic() < began + child.grace for child in children):
            self.wait(_TICK)

    def dismiss_watchdog(self) -> None:
        """End the watchdog, which then has nothing to do, and wait until it has ended."""
        if self._watchdog.stdin and self._watchdog.returncode is None:
            with suppress(OSError):
                self._watchdog.stdin.write(watchdog.ORDERLY)
                self._watchdog.stdin.close()
            self._watchdog.wait()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                # Adopted orphans are in neither table.
                if pid in self._children:
                    self._children[pid].status = status
                process = self._watchdog if pid == self._watchdog.pid else self._started.pop(pid, None)
                if process is not None:
                    process.returncode = os.waitstatus_to_exitcode(status)

    def _listen_to_signals(self) -> None:
        for end in (self._wakeup, self._waker):
            end.setblocking(False)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def _start_watchdog(self, scratch: Path) -> subprocess.Popen[bytes]:
        """Start the watchdog, in a session of its own so that no signal to ours reaches it."""
        import importlib.util

        psutil = importlib.util.find_spec("psutil")
        folder = str(Path(psutil.origin).parents[1]) if psutil and psutil.origin else ""
        return subprocess.Popen(
            [sys.executable, "-S", "-E", watchdog.__file__, self._stack, str(scratch), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={MARKER: self._stack, "TMPDIR": tempfile.gettempdir()},
            start_new_session=True,
            bufsize=0,
        )


def _plain_environment() -> dict[str, str]:
    """Return our environment without the variables that would misdirect a local client or server."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PG", "PYTHON")) and not name.lower().endswith("_proxy")
    }
