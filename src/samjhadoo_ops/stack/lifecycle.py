"""Starting, finding and stopping a project's stack, of either kind."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import MARKER, is_running
from samjhadoo_ops.stack import stacks, watchdog
from samjhadoo_ops.stack.planning import make_plan
from samjhadoo_ops.stack.ports import moved
from samjhadoo_ops.stack.servers import remove_labelled
from samjhadoo_ops.stack.state import StackEnding, StackPaths, StackState, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from filelock import BaseFileLock

    from samjhadoo_ops.console import Progress
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.plan import StackPlan

_START_TIME = 200.0
_STOP_TIME = 60.0
_LOCK_TIME = 300.0
_TICK = 0.02
_EXPLANATION = 0.5
_STARTING = {
    "embedded": "starting PostgreSQL, Redis and the emulator: a few seconds",
    "containers": "starting containers and the emulator: about half a minute",
}


class StackFailed(OpsError):
    """The local stack could not be started or stopped."""


def find(env: Environment) -> StackState | None:
    """Return the project's running stack; None when it is not running."""
    state = StackPaths(env.root).read_state()
    if state and is_running(state.supervisor.pid, state.supervisor.started):
        return state
    return None


def why_ended(env: Environment) -> StackEnding | None:
    """Return why the last stack ended; None if it was stopped on request."""
    paths = StackPaths(env.root)
    if ended := paths.read_ended():
        return ended
    state = paths.read_state()
    if state and not is_running(state.supervisor.pid, state.supervisor.started):
        reason = f"the stack's supervisor ({state.supervisor.pid}) was killed, or the machine was restarted"
        return StackEnding(id=state.id, reason=reason, at=0.0, logs=state.logs)
    return None


def start(env: Environment, progress: Progress, *, owner: int | None = None) -> StackState:
    """Start the stack, or find the one that is running; it ends when its owner does, if one is given.

    Raises:
        StackFailed: One of its processes did not start, or a hook failed; nothing is left running.
        ConfigurationError: The running stack was started with other settings.
        OpsError: Something that it needs could not be fetched.
    """
    paths = StackPaths(env.root)
    with _alone(paths, progress):
        if state := find(env):
            require_match(state, env)
            progress("the stack is already running")
            return state
        if ended := why_ended(env):
            progress(f"the last stack ended: {ended.reason}")
        _clean(paths, progress)
        plan = make_plan(env, paths, progress, owner=owner)
        began = time.monotonic()
        progress(f"{_STARTING[plan.kind]}, at most {_START_TIME:.0f} s; to follow it: invoke stack.logs")
        _launch(plan, paths, env)
        started = find(env)
        if started is None:
            ended = why_ended(env)
            raise StackFailed(
                f"the stack ended right after its start: {ended.reason if ended else 'unknown'}"
            )
        progress(f"everything answered after {time.monotonic() - began:.1f} s")
        for sentence in moved(plan.ports, started.endpoints):
            progress(sentence)
        return started


def stop(env: Environment, progress: Progress) -> bool:
    """Stop the stack and remove its files; return whether there was one; may raise `StackFailed`."""
    paths = StackPaths(env.root)
    with _alone(paths, progress):
        state = paths.read_state()
        running = find(env)
        if running:
            progress(f"stopping the stack {running.id}")
            _terminate(running)
        lost = _clean(paths, progress)
        paths.ended.unlink(missing_ok=True)
        return bool(state or lost)


def require_match(state: StackState, env: Environment) -> None:
    """Raise `ConfigurationError` if the running stack has another region, account or clock."""
    wanted = {
        "stack.kind": (state.kind, env.stack.kind if env.stack else "none"),
        "aws.region": (state.region, env.aws.region),
        "aws.account": (state.account, env.aws.account),
        "clock.minute": (state.clock.minute, float(env.clock.minute)),
    }
    for key, (found, expected) in wanted.items():
        if found != expected:
            raise ConfigurationError(
                f"the running stack was started with {key} = {found}; environment {env.name} has {expected}",
                hint="run: invoke stack.reset",
            )


@contextmanager
def _alone(paths: StackPaths, progress: Progress) -> Iterator[None]:
    """Allow one command at a time to start or stop the project's stack."""
    from filelock import FileLock, Timeout

    lock = FileLock(paths.lock)
    try:
        paths.folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        progress(
            f"waiting up to {_LOCK_TIME / 60:.0f} min for another command that starts or stops the stack; "
            "to stop waiting: Ctrl-C"
        )
        _await_lock(lock, paths)
    except OSError as error:
        raise StackFailed(
            f"the stack's folder {paths.folder} cannot be written: {error.strerror}",
            hint="make the project's folder writable for you",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _await_lock(lock: BaseFileLock, paths: StackPaths) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=_LOCK_TIME)
    except Timeout as error:
        raise StackFailed(
            f"another command has held {paths.lock} for more than {_LOCK_TIME / 60:.0f} min",
            hint="wait for that command to end, or end it; then try again",
        ) from error


def _clean(paths: StackPaths, progress: Progress) -> bool:
    """End and remove what is left of this project's stacks; return whether there was anything."""
    lost = watchdog.members(paths.mark)
    if lost:
        progress(f"ending {len(lost)} processes of an earlier stack")
        if left := watchdog.sweep(paths.mark):
            raise StackFailed(f"some processes of the stack could not be ended: {', '.join(map(str, left))}")
    if paths.engine.exists():
        _clean_engine(paths, progress)
    found = paths.state.exists() or any(True for _ in paths.leftovers())
    paths.clear()
    return bool(lost) or found


def _clean_engine(paths: StackPaths, progress: Progress) -> None:
    """Remove from the Docker engine what is left of this project's stacks there."""
    from samjhadoo_ops import engine

    client = engine.connect()
    try:
        wanted = {engine.PROJECT: paths.mark}
        if left := engine.leftovers(client, wanted):
            progress(f"removing {len(left)} containers, networks and volumes of an earlier stack")
            remove_labelled(wanted)
        if staying := engine.leftovers(client, wanted):
            names = ", ".join(str(each.name) for each in staying)
            raise StackFailed(f"the Docker engine did not remove {names}")
    finally:
        client.close()
    paths.engine.unlink(missing_ok=True)


def _launch(plan: StackPlan, paths: StackPaths, env: Environment) -> None:
    """Start the supervisor, make the environment's stacks, and wait until everything is up."""
    run = paths.run(plan.id)
    run.mkdir(parents=True, mode=0o700)
    write(run / "plan.json", plan)
    if plan.kind == "containers":
        paths.engine.touch()
    reading, writing = os.pipe()
    try:
        with (paths.folder / "supervisor.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "samjhadoo_ops.stack.supervisor"),
                    *(str(run / "plan.json"), "--report", str(writing)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=run,
                env={**os.environ, MARKER: plan.id},
                pass_fds=(writing,),
                start_new_session=True,
            )
    finally:
        os.close(writing)
    try:
        report = _await_up(Reports(reading), plan, paths, env)
    except BaseException:
        # Interrupted: the supervisor ends what it has started, or we do by force.
        _end_half_started(process, paths)
        raise
    finally:
        os.close(reading)
    if report.get("up"):
        # It runs on without us, and we are not notified when it ends.
        process.returncode = 0
        return
    details = tuple(report.get("details", ()))
    _end_half_started(process, paths)
    if not report:
        details = tuple((paths.folder / "supervisor.log").read_text(errors="replace").splitlines()[-20:])
    raise StackFailed(
        f"the stack did not start: {report.get('failed', 'its supervisor ended or did not answer')}",
        changed="nothing; what had been started was stopped",
        details=details,
    )


class Reports:
    """The supervisor's reports: first the edge's port, if stacks have to be made, and finally how it went."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
        self._deadline = time.monotonic() + _START_TIME

    def read(self, limit: float = _START_TIME) -> dict[str, Any]:
        """Return the next report; an empty one if there is none in time, or the supervisor has ended."""
        left = max(0.0, min(limit, self._deadline - time.monotonic()))
        line = self._pipe.readline() if select.select([self._pipe], [], [], left)[0] else b""
        report: dict[str, Any] = json.loads(line) if line else {}
        return report

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()


def _await_up(reports: Reports, plan: StackPlan, paths: StackPaths, env: Environment) -> dict[str, Any]:
    """Return the supervisor's last report; make the stacks as soon as CloudFormation can be reached."""
    try:
        if plan.stacks:
            stacks.prepare()
        while "edge" in (report := reports.read()):
            try:
                stacks.make(env, int(report["edge"]), log=paths.run(plan.id) / "logs" / "stacks.log")
            except OpsError as error:
                # If a process has ended, the supervisor knows more.
                return reports.read(_EXPLANATION) or {"failed": error.message, "details": error.details}
            paths.stacks(plan.id).touch()
        return report
    finally:
        reports.close()


def _end_half_started(process: subprocess.Popen[bytes], paths: StackPaths) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_TIME)
    watchdog.sweep(paths.mark)
    paths.clear()
    if paths.engine.exists():
        with suppress(OpsError):  # the reason is reported anyway; the next start or stop tries again
            _clean_engine(paths, lambda _: None)


def _terminate(state: StackState) -> None:
    """Signal the supervisor to end the stack, and wait until it has."""
    reference = state.supervisor
    with suppress(ProcessLookupError):
        os.kill(reference.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIME
    while is_running(reference.pid, reference.started) and time.monotonic() < deadline:
        time.sleep(_TICK)
