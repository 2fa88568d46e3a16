"""The supervisor of a stack: `python -m samjhadoo_ops.stack.supervisor PLAN --report FD`.

It starts the servers (processes, or the process that runs the containers) and the emulator, runs the init
hooks, waits until the command that starts the stack has made its stacks of CloudFormation, writes
`stack.json`, and then waits until it is asked to stop, one of its processes ends, the shell that started the
stack is killed, or the stack's owner ends, if it has one. Any of these ends the whole stack.
So does the death of the supervisor itself: the kernel kills its children (Linux), and the watchdog the rest.

It lives as long as the stack, so it has one thread and imports nothing heavy.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.processes import LOOPBACK, listen, start_time
from samjhadoo_ops.stack import exits, watchdog
from samjhadoo_ops.stack.children import Children, StartFailed
from samjhadoo_ops.stack.inspection import bound_ports
from samjhadoo_ops.stack.plan import StackPlan
from samjhadoo_ops.stack.seeds import seed_environment
from samjhadoo_ops.stack.servers import RUNNER, servers_of
from samjhadoo_ops.stack.state import (
    Addresses,
    ClockState,
    ProcessRef,
    StackEnding,
    StackPaths,
    StackState,
    write,
)
from samjhadoo_ops.system_errors import explain

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from samjhadoo_ops.stack.children import Child

START_TIME = 90.0
"""Real seconds within which everything has to be up."""

EXPLAINED = 1 << 8
"""The wait status of a container runner whose last log line names the container that ended."""
EMULATOR_STOP = {"embedded": 2.0, "containers": 20.0}
"""Real seconds that the emulator has for ending its tasks, by kind of stack."""

_TICK = 0.02
_TAKEN = ("address already in use", "could not bind", "port is already allocated")


class Supervisor:
    """Starts the processes of a plan, and ends them all when one ends."""

    def __init__(self, plan: StackPlan, report: Callable[..., None]) -> None:
        self.plan = plan
        self.paths = StackPaths(Path(plan.root))
        self.folder = self.paths.run(plan.id)
        self.logs = self.folder / "logs"
        self.ports = plan.ports
        self.origin = time.time()
        self._report = report
        self._servers = servers_of(plan, self.folder)
        self._children = Children(plan.id, self.folder, self.logs, scratch=self._servers.scratch)
        self._starter = exits.watch(plan.starter.pid, plan.starter.started) if plan.starter else None

    def run(self) -> int:
        """Run the stack until it ends; return the exit code."""
        try:
            self._start_twice()
        except (StartFailed, OSError) as error:
            self._end()
            self._remove_files()
            self._children.dismiss_watchdog()
            if isinstance(error, StartFailed):
                self._report(failed=str(error), details=error.details)
            else:
                self._report(failed=explain(error).message)
            return 1
        reason, details = self._wait_for_the_end()
        # Commands that find no stack then report why.
        if reason:
            logs = str(self.logs)
            write(
                self.paths.ended,
                StackEnding(id=self.plan.id, reason=reason, at=time.time(), details=details, logs=logs),
            )
        self.paths.state.unlink(missing_ok=True)
        self._end()
        self._remove_files(keep_logs=bool(reason))
        self._children.dismiss_watchdog()
        return 1 if reason else 0

    def _end(self) -> None:
        self._children.end()
        self._servers.remove()

    def _start_twice(self) -> None:
        """Start; try again on other ports if one was taken between its choice and its use."""
        owner = self.plan.starter
        if owner and owner.exit_counts and not exits.can_watch(owner.pid, owner.started):
            raise StartFailed(f"{owner.name} ended before the stack was started")
        try:
            self._start()
        except StartFailed as error:
            if not any(sign in line.lower() for line in error.details for sign in _TAKEN):
                raise
            self._end()
            shutil.rmtree(self.folder / "emulator", ignore_errors=True)
            self.paths.stacks(self.plan.id).unlink(missing_ok=True)
            self.ports = msgspec.structs.replace(self.ports, postgres=0, redis=0)
            self._start()

    def _start(self) -> None:
        for folder in (self.logs, self.folder / "emulator"):
            folder.mkdir(parents=True, exist_ok=True)
        # The slowest first. The emulator's socket listens already, so that the init hooks can start at once.
        with listen(self.ports.edge) as listener:
            self.ports = self._servers.ports(
                msgspec.structs.replace(self.ports, edge=listener.getsockname()[1])
            )
            self._servers.begin(self._children, self.ports)
            self._wait_until({"the network": self._servers.ready_for_emulator})
            self._start_emulator(listener)
        self._wait_until({"the containers": self._servers.ready_for_seeds})
        if self.plan.stacks:
            self._report(edge=self.ports.edge)
        self._start_seeds()
        self._servers.start_rest(self._children, self.ports)
        seeded = {"the init hooks": lambda: all(child.name != "seeds" for child in self._children.all)}
        made = {"the stacks": self.paths.stacks(self.plan.id).exists} if self.plan.stacks else {}
        self._wait_until(self._servers.waiting_for(self.ports) | seeded | made)
        self.paths.ended.unlink(missing_ok=True)
        write(self.paths.state, self._state())
        self._report(up=True)
        self._start_training()

    def _start_emulator(self, listener: socket.socket) -> None:
        descriptor = listener.fileno()
        options = {
            "--fd": descriptor,
            "--account": self.plan.account,
            "--region": self.plan.region,
            "--minute": self.plan.minute,
            "--origin": repr(self.origin),
            "--data-dir": self.folder / "emulator",
        }
        further = [*self._servers.emulator(self.ports), *self.plan.emulator]
        self._children.start(
            "emulator",
            [sys.executable, "-m", "samjhadoo_emulator", *_flat(options), *further],
            pass_fds=(descriptor,),
            stop=signal.SIGTERM,
            variables=self.plan.variables,
            grace=EMULATOR_STOP[self.plan.kind],
        )

    def _start_seeds(self) -> None:
        if self.plan.seeds:
            command = [sys.executable, "-m", "samjhadoo_ops.stack.hooks", *self.plan.seeds]
            variables = seed_environment(self.plan, self.ports)
            self._children.start("seeds", command, stop=signal.SIGKILL, variables=variables)

    def _start_training(self) -> None:
        """Record Flyway's start-up archive in the background; Flyway also works without it."""
        if self.plan.training:
            command = ["nice", sys.executable, "-m", "samjhadoo_ops.stack.training", str(self.folder)]
            with suppress(StartFailed):
                self._children.start("training", command, stop=signal.SIGKILL)

    def _wait_until(self, waiting: dict[str, Callable[[], bool]]) -> None:
        deadline = time.monotonic() + START_TIME
        while waiting:
            self._children.wait(_TICK)
            if self._children.asked_to_end:
                raise StartFailed("the start was interrupted")
            self._check_start()
            waiting = {name: ready for name, ready in waiting.items() if not ready()}
            if waiting and time.monotonic() > deadline:
                tails = tuple(line for child in self._children.all for line in child.tail())
                raise StartFailed(f"{', '.join(waiting)} not ready within {START_TIME:.0f} s", tails)

    def _check_start(self) -> None:
        for child in self._children.take_ended():
            if child.name != "seeds" or child.status != 0:
                raise StartFailed(_failure(child), self._why(child))

    def _why(self, child: Child) -> tuple[str, ...]:
        """Return the end of a process's log; for an init hook, the emulator's output about it comes first."""
        emulator = [each for each in self._children.all if each.name == "emulator" and child.name == "seeds"]
        return (*(line for each in emulator for line in each.tail()), *child.tail())

    def _state(self) -> StackState:
        plan, ports, starter = self.plan, self.ports, self.plan.starter
        bound = bound_ports(ports.edge, Path(plan.root))
        return StackState(
            id=plan.id,
            kind=plan.kind,
            environment=plan.environment,
            region=plan.region,
            account=plan.account,
            started=self.origin,
            supervisor=_reference("supervisor", os.getpid()),
            processes=tuple(_reference(child.name, child.pid) for child in self._children.all),
            endpoints=Addresses(
                aws=f"http://{LOOPBACK}:{ports.edge}",
                production=f"http://{LOOPBACK}:{bound.get(ports.production, ports.production)}",
                test=f"http://{LOOPBACK}:{bound.get(ports.test, ports.test)}",
                postgres=f"{LOOPBACK}:{ports.postgres}",
                redis=f"{LOOPBACK}:{ports.redis}",
            ),
            clock=ClockState(minute=plan.minute, origin=self.origin),
            logs=str(self.logs),
            starter=ProcessRef(starter.name, starter.pid, starter.started) if starter else None,
            containers=self._servers.containers(),
        )

    def _wait_for_the_end(self) -> tuple[str, tuple[str, ...]]:
        """Wait; return why the stack ends and the last log lines, both empty when the end was requested."""
        while True:
            self._children.wait(None, also=[] if self._starter is None else [self._starter])
            if self._children.asked_to_end:
                return "", ()
            for child in self._children.take_ended():
                if child.name != "training":
                    return f"the stack's {_ending(child)}", child.tail()
            reason = self._children.watchdog_ending() or self._starter_ending()
            if reason:
                return f"the stack's {reason}", ()

    def _starter_ending(self) -> str:
        """Describe how the starter ended; empty while it runs, and when its exit does not count."""
        starter = self.plan.starter
        if starter is None or self._starter is None or not select.select([self._starter], [], [], 0)[0]:
            return ""
        signum = exits.ending_signal(self._starter, starter.pid)
        os.close(self._starter)
        self._starter = None
        if signum:
            return f"{starter.name} was killed by {signum.name}"
        return f"{starter.name} ended" if starter.exit_counts else ""

    def _remove_files(self, *, keep_logs: bool = False) -> None:
        watchdog.remove_folders(self.plan.id, str(self._servers.scratch))
        if not keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        for entry in self.folder.iterdir():
            if entry != self.logs:
                shutil.rmtree(entry, ignore_errors=True)


def _ending(child: Child) -> str:
    """Describe how a process ended; for the container runner, which container did, or the engine's error."""
    log = child.tail()
    return log[-1] if child.name == RUNNER and child.status == EXPLAINED and log else child.ending()


def _failure(child: Child) -> str:
    """Describe how a process failed to start; its last line is the cause."""
    log, ending = [line.strip() for line in child.tail() if line.strip()], _ending(child)
    if child.name == "seeds" and log:
        return log[-1]
    cause = f": {log[-1]}" if log and log[-1] != ending else ""
    return f"{ending} while the stack was starting{cause}"


def _flat(options: dict[str, Any]) -> list[str]:
    return [str(part) for pair in options.items() for part in pair]


def _reference(name: str, pid: int) -> ProcessRef:
    return ProcessRef(name=name, pid=pid, started=start_time(pid))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the supervisor."""
    parser = argparse.ArgumentParser(prog="python -m samjhadoo_ops.stack.supervisor", description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument(
        "--report",
        type=int,
        required=True,
        help="file descriptor for the report",
    )
    options = parser.parse_args(argv)
    plan = msgspec.json.decode(options.plan.read_bytes(), type=StackPlan)
    os.set_inheritable(options.report, False)

    def report(**fields: Any) -> None:
        # The command may have ended meanwhile; others find the stack by its state file.
        with suppress(OSError):
            os.write(options.report, json.dumps(fields).encode() + b"\n")
            if "edge" not in fields:  # the last report
                os.close(options.report)

    return Supervisor(plan, report).run()


if __name__ == "__main__":
    sys.exit(main())
