"""The supervisor of an embedded stack: `python -m samjhadoo_ops.stack.supervisor PLAN --report FD`.

It starts PostgreSQL, Redis and the emulator, runs the init hooks, writes `stack.json`, and then waits: for a
request to stop, for the end of any of its processes, or for the violent end of the shell that started the
stack. Whichever comes first ends everything. Its own death ends everything too: the kernel kills its children
(Linux), and the guard, which notices by a pipe, kills the rest everywhere.

One thread, nothing heavy imported: it lives as long as the stack.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.processes import LOOPBACK, MARKER, adopt_orphans, die_with_parent, free_port, listen
from samjhadoo_ops.stack import exits, guard, postgres
from samjhadoo_ops.stack.listeners import bound_ports
from samjhadoo_ops.stack.plan import Plan
from samjhadoo_ops.stack.seeds import seed_environment
from samjhadoo_ops.stack.state import (
    Addresses,
    ClockState,
    Ended,
    Places,
    ProcessRef,
    StackState,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START_TIME = 90.0
"""Seconds within which everything has to be up."""

_GRACE = 2.0
_TICK = 0.02
_TAIL = 15
_TAKEN = ("address already in use", "could not bind")


@dataclass
class Child:
    """A process that the supervisor started; `status` is its wait status once it has ended."""

    name: str
    pid: int
    log: Path
    stop_signal: signal.Signals
    status: int | None = None

    def ending(self) -> str:
        """Return in words how it ended."""
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


class StartFailed(Exception):
    """The stack could not be started."""

    def __init__(self, message: str, details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.details = details

    @property
    def port_taken(self) -> bool:
        """Whether a port was taken between the choice and its use."""
        return any(sign in line.lower() for line in self.details for sign in _TAKEN)


class Supervisor:
    """Starts the processes of a plan, and ends them all when one ends."""

    def __init__(self, plan: Plan, report: Callable[..., None]) -> None:
        self.plan = plan
        self.places = Places(Path(plan.root))
        self.run_folder = self.places.run(plan.id)
        self.logs = self.run_folder / "logs"
        self.children: dict[int, Child] = {}
        self.origin = time.time()
        self.ports = plan.ports
        self._say = report
        self._asked = False
        self._shell: int | None = None
        self._wakeup, waker = socket.socketpair()
        self._wakeup.setblocking(False)
        waker.setblocking(False)
        self._waker = waker
        self._processes: list[subprocess.Popen[bytes]] = []
        self._guard: subprocess.Popen[bytes] | None = None

    def run(self) -> int:
        """Run the stack until it ends; return the exit code."""
        self._listen_to_signals()
        adopt_orphans()
        self._guard = self._start_guard()
        if self.plan.shell:
            self._shell = exits.watch(self.plan.shell.pid, self.plan.shell.started)
        try:
            self._start_twice()
        except StartFailed as error:
            self._end()
            self._finish()
            self._say(failed=str(error), details=error.details)
            return 1
        reason, details = self._wait_for_the_end()
        self.places.state.unlink(missing_ok=True)
        if reason:
            ended = Ended(
                id=self.plan.id, reason=reason, at=time.time(), details=details, logs=str(self.logs)
            )
            write(self.places.ended, ended)
        self._end()
        self._finish(keep_logs=bool(reason))
        return 0 if not reason else 1

    # Starting

    def _start_twice(self) -> None:
        """Start; once more on other ports when somebody took one between its choice and its use."""
        try:
            self._start()
        except StartFailed as error:
            if not error.port_taken:
                raise
            self._end()
            self.children.clear()
            shutil.rmtree(self.plan.postgres.folder, ignore_errors=True)
            self.ports = msgspec.structs.replace(self.ports, postgres=0, redis=0)
            self._start()

    def _start(self) -> None:
        for folder in (self.logs, self.run_folder / "redis", self.run_folder / "emulator"):
            folder.mkdir(parents=True, exist_ok=True)
        with listen(self.ports.edge) as listener:
            edge = listener.getsockname()[1]
            self.ports = msgspec.structs.replace(
                self.ports,
                edge=edge,
                postgres=free_port(self.ports.postgres),
                redis=free_port(self.ports.redis),
            )
            # The slowest first; its socket already listens, so that the seeds can begin at once.
            self._start_emulator(listener)
        seeds = self._seeding()
        self._start_redis()
        self._start_postgres()
        self._wait_until_up(seeds)
        self._say_up()

    def _start_emulator(self, listener: socket.socket) -> None:
        descriptor = listener.fileno()
        plan = self.plan
        arguments = {
            "--fd": descriptor,
            "--account": plan.account,
            "--region": plan.region,
            "--minute": plan.minute,
            "--origin": repr(self.origin),
            "--data-dir": self.run_folder / "emulator",
        }
        command = [sys.executable, "-m", "samjhadoo_ops.emulator"]
        command += [str(part) for pair in arguments.items() for part in pair]
        self._spawn("emulator", command, pass_fds=(descriptor,), stop=signal.SIGTERM)

    def _start_redis(self) -> None:
        options = {
            "--bind": LOOPBACK,
            "--port": self.ports.redis,
            "--save": "",
            "--appendonly": "no",
            "--dir": self.run_folder / "redis",
        }
        command = [self.plan.redis, *(str(part) for pair in options.items() for part in pair)]
        self._spawn("redis", command, stop=signal.SIGKILL)

    def _start_postgres(self) -> None:
        plan = self.plan.postgres
        try:
            home = postgres.install(plan)
        except OSError as error:
            raise StartFailed(f"PostgreSQL's folder {plan.folder} cannot be made: {error}") from error
        command = postgres.command(home, Path(plan.folder), self.ports.postgres)
        # Immediate shutdown: the data is thrown away.
        self._spawn("postgres", command, stop=signal.SIGQUIT, cwd=Path(plan.folder), account=True)

    def _seeding(self) -> list[str]:
        """Start the first init hook; return those that come after it."""
        seeds = list(self.plan.seeds)
        if seeds:
            self._seed(seeds.pop(0))
        return seeds

    def _seed(self, script: str) -> None:
        environment = seed_environment(self.plan, self.ports)
        self._spawn("seeds", [sys.executable, script], stop=signal.SIGKILL, variables=environment)

    def _wait_until_up(self, seeds: list[str]) -> None:
        deadline = time.monotonic() + START_TIME
        waiting: dict[str, Callable[[], bool]] = {
            "postgres": lambda: postgres.is_ready(Path(self.plan.postgres.folder)),
            "redis": lambda: _redis_answers(self.ports.redis),
        }
        while True:
            self._wait(_TICK)
            self._check_start(seeds)
            waiting = {name: ready for name, ready in waiting.items() if not ready()}
            seeding = seeds or any(child.name == "seeds" for child in self.children.values())
            if not waiting and not seeding:
                return
            if time.monotonic() > deadline:
                late = [*waiting, *(["the init hooks"] if seeding else [])]
                raise StartFailed(
                    f"{', '.join(late)} did not get ready within {START_TIME:.0f} s", self._tails()
                )

    def _check_start(self, seeds: list[str]) -> None:
        if self._asked:
            raise StartFailed("the start was interrupted")
        for child in [child for child in self.children.values() if child.status is not None]:
            del self.children[child.pid]
            if child.name != "seeds" or child.status != 0:
                raise StartFailed(f"{child.ending()} while the stack was starting", child.tail())
            if seeds:
                self._seed(seeds.pop(0))

    def _tails(self) -> tuple[str, ...]:
        return tuple(line for child in self.children.values() for line in child.tail())

    def _say_up(self) -> None:
        plan, ports = self.plan, self.ports
        aws = f"http://{LOOPBACK}:{ports.edge}"
        bound = bound_ports(ports.edge)
        shell = plan.shell and ProcessRef(
            name=plan.shell.name, pid=plan.shell.pid, started=plan.shell.started
        )
        state = StackState(
            id=plan.id,
            kind="embedded",
            environment=plan.environment,
            region=plan.region,
            account=plan.account,
            started=self.origin,
            supervisor=_reference("supervisor", os.getpid()),
            processes=tuple(_reference(child.name, child.pid) for child in self.children.values()),
            endpoints=Addresses(
                aws=aws,
                production=f"http://{LOOPBACK}:{bound.get(ports.production, ports.production)}",
                test=f"http://{LOOPBACK}:{bound.get(ports.test, ports.test)}",
                postgres=f"{LOOPBACK}:{ports.postgres}",
                redis=f"{LOOPBACK}:{ports.redis}",
            ),
            clock=ClockState(minute=plan.minute, origin=self.origin),
            logs=str(self.logs),
            shell=shell or None,
        )
        self.places.ended.unlink(missing_ok=True)
        write(self.places.state, state)
        self._say(up=True)
        if plan.training:
            # In the background, at low priority; Flyway works without its archive.
            command = ["nice", sys.executable, "-m", "samjhadoo_ops.stack.training", str(self.run_folder)]
            self._spawn("training", command, stop=signal.SIGKILL)

    # Running

    def _wait_for_the_end(self) -> tuple[str, tuple[str, ...]]:
        """Wait; return why the stack ends and what its log said, nothing when it was asked to."""
        while True:
            self._wait(None)
            if self._asked:
                return "", ()
            if self._guard and self._guard.returncode is not None:
                return f"the stack's guard ({self._guard.pid}) ended", ()
            for child in list(self.children.values()):
                if child.status is not None:
                    del self.children[child.pid]
                    if child.name != "training":
                        return f"the stack's {child.ending()}", child.tail()
            if self._shell is not None and select.select([self._shell], [], [], 0)[0]:
                signum = exits.ending_signal(self._shell, self.plan.shell.pid if self.plan.shell else 0)
                os.close(self._shell)
                self._shell = None
                if signum is not None and self.plan.shell:
                    shell = self.plan.shell
                    return (
                        f"the shell that started it ({shell.name}, {shell.pid}) was killed by {signum.name}",
                        (),
                    )

    def _wait(self, timeout: float | None) -> None:
        """Wait for a signal, the shell's end or the time; take note of the children that ended."""
        watched = [self._wakeup, *([] if self._shell is None else [self._shell])]
        select.select(watched, [], [], timeout)
        with suppress(BlockingIOError):
            if {signal.SIGTERM, signal.SIGINT} & set(self._wakeup.recv(4096)):
                self._asked = True
        self._reap()

    def _reap(self) -> None:
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                if pid in self.children:
                    self.children[pid].status = status
                for process in (*self._processes, self._guard):
                    if process is not None and process.pid == pid:
                        process.returncode = os.waitstatus_to_exitcode(status)

    # Ending

    def _end(self) -> None:
        """End every process: politely, then not."""
        for child in self.children.values():
            if child.status is None:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, child.stop_signal)
        deadline = time.monotonic() + _GRACE
        while any(child.status is None for child in self.children.values()) and time.monotonic() < deadline:
            self._wait(_TICK)
        spare = {os.getpid(), *([self._guard.pid] if self._guard else [])}
        guard.sweep(self.plan.id, spare=frozenset(spare))
        self._reap()

    def _finish(self, *, keep_logs: bool = False) -> None:
        """Remove the stack's files and dismiss the guard."""
        shutil.rmtree(self.plan.postgres.folder, ignore_errors=True)
        if keep_logs:
            for entry in self.run_folder.iterdir():
                if entry != self.logs:
                    shutil.rmtree(entry, ignore_errors=True)
        else:
            shutil.rmtree(self.run_folder, ignore_errors=True)
        if self._guard and self._guard.stdin:
            with suppress(OSError):
                self._guard.stdin.write(guard.ORDERLY)
                self._guard.stdin.close()

    # Processes

    def _listen_to_signals(self) -> None:
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(signum, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)

    def _start_guard(self) -> subprocess.Popen[bytes]:
        """Start the guard, in a session of its own so that no signal to ours reaches it."""
        import importlib.util

        psutil = importlib.util.find_spec("psutil")
        where = str(Path(psutil.origin).parents[1]) if psutil and psutil.origin else ""
        return subprocess.Popen(
            [sys.executable, "-S", "-E", guard.__file__, self.plan.id, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={MARKER: self.plan.id},
            start_new_session=True,
            bufsize=0,
        )

    def _spawn(
        self,
        name: str,
        command: Sequence[str],
        *,
        stop: signal.Signals,
        pass_fds: tuple[int, ...] = (),
        cwd: Path | None = None,
        variables: dict[str, str] | None = None,
        account: bool = False,
    ) -> None:
        log = self.logs / f"{name}.log"
        user = self.plan.postgres.account if account else None
        environment = {**_plain_environment(), **(variables or {}), MARKER: self.plan.id}
        with log.open("ab") as output:
            try:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=cwd or self.run_folder,
                    env=environment,
                    pass_fds=pass_fds,
                    preexec_fn=die_with_parent(
                        uid=user.uid if user else None, gid=user.gid if user else None
                    ),
                )
            except (OSError, subprocess.SubprocessError) as error:
                raise StartFailed(
                    f"{name} could not be started: {error}", (" ".join(command[:3]),)
                ) from error
        self._processes.append(process)
        self.children[process.pid] = Child(name, process.pid, log, stop)


def _plain_environment() -> dict[str, str]:
    """Return our environment without what could lead a local client or server astray."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PG", "PYTHON")) and not name.lower().endswith("_proxy")
    }


def _reference(name: str, pid: int) -> ProcessRef:
    return ProcessRef(name=name, pid=pid, started=exits.started(pid) or 0.0)


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def main(argv: Sequence[str] | None = None) -> int:
    """Run the supervisor."""
    parser = argparse.ArgumentParser(prog="python -m samjhadoo_ops.stack.supervisor", description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--report", type=int, required=True, help="descriptor to tell the launcher on")
    options = parser.parse_args(argv)
    plan = msgspec.json.decode(options.plan.read_bytes(), type=Plan)
    os.set_inheritable(options.report, False)

    def report(**fields: Any) -> None:
        # The launcher may have gone meanwhile; the stack is found by its state file.
        with suppress(OSError):
            os.write(options.report, json.dumps(fields).encode() + b"\n")
            os.close(options.report)

    return Supervisor(plan, report).run()


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(main())
