"""Starting, finding and stopping the stack of a project, of either kind."""

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
from samjhadoo_ops.processes import MARKER
from samjhadoo_ops.stack import exits, guard, removal
from samjhadoo_ops.stack.planning import make_plan
from samjhadoo_ops.stack.state import Ended, Places, StackState, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from filelock import BaseFileLock

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.plan import Plan

    Progress = Callable[[str], None]

_START_TIME = 200.0
_STOP_TIME = 60.0
_LOCK_TIME = 300.0
_TICK = 0.02
_STARTING = {
    "embedded": "starting PostgreSQL, Redis and the emulator",
    "containers": "starting PostgreSQL, Redis and LocalStack in containers, and the emulator",
}


class StackFailed(OpsError):
    """The local stack could not be started or stopped."""


def find(env: Environment) -> StackState | None:
    """Return the project's running stack, None when there is none."""
    state = Places(env.root).read_state()
    if state and exits.is_alive(state.supervisor.pid, state.supervisor.started):
        return state
    return None


def why_ended(env: Environment) -> Ended | None:
    """Return why the last stack ended, when nobody asked it to."""
    places = Places(env.root)
    if ended := places.read_ended():
        return ended
    state = places.read_state()
    if state and not exits.is_alive(state.supervisor.pid, state.supervisor.started):
        reason = f"the stack's supervisor ({state.supervisor.pid}) was killed, or the machine was restarted"
        return Ended(id=state.id, reason=reason, at=0.0, logs=state.logs)
    return None


def start(env: Environment, progress: Progress, *, owner: int | None = None) -> StackState:
    """Start the stack, which ends with its owner if one is given, or find the one that runs already.

    Raises:
        StackFailed: A process of it did not start, or a hook failed; nothing is left running.
        ConfigurationError: A stack of other settings runs.
        OpsError: Something it needs cannot be had.

    """
    places = Places(env.root)
    with _alone(places, progress):
        if state := find(env):
            require_match(state, env)
            return state
        if ended := why_ended(env):
            progress(f"the last stack ended: {ended.reason}")
        _clean(places, progress)
        plan = make_plan(env, places, progress, owner=owner)
        began = time.monotonic()
        progress(_STARTING[plan.kind])
        _launch(plan, places)
        started = find(env)
        if started is None:
            ended = why_ended(env)
            raise StackFailed(
                f"the stack ended right after its start: {ended.reason if ended else 'unknown'}"
            )
        progress(f"the stack is up after {time.monotonic() - began:.1f} s: {started.endpoints.aws}")
        return started


def stop(env: Environment, progress: Progress) -> bool:
    """Stop the stack and remove its files; tell whether there was anything to stop.

    Raises:
        StackFailed: A process of it could not be ended.

    """
    places = Places(env.root)
    with _alone(places, progress):
        state = places.read_state()
        running = find(env)
        if running:
            progress(f"stopping the stack {running.id}")
            _terminate(running)
        lost = _clean(places, progress)
        places.ended.unlink(missing_ok=True)
        return bool(state or lost)


def require_match(state: StackState, env: Environment) -> None:
    """Refuse a running stack that was started with other settings.

    Raises:
        ConfigurationError: Its region, account or clock is not the environment's.

    """
    wanted = {
        "stack.kind": (state.kind, env.stack.kind if env.stack else "none"),
        "aws.region": (state.region, env.aws.region),
        "aws.account": (state.account, env.aws.account),
        "clock.minute": (state.clock.minute, float(env.clock.minute)),
    }
    for key, (found, expected) in wanted.items():
        if found != expected:
            raise ConfigurationError(
                f"the running stack was started with {key} = {found}; environment {env.name} says {expected}",
                hint="run: invoke stack.reset",
            )


@contextmanager
def _alone(places: Places, progress: Progress) -> Iterator[None]:
    """Let one command at a time start or stop the project's stack."""
    from filelock import FileLock, Timeout

    lock = FileLock(places.lock)
    try:
        places.folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        progress("another command starts or stops the stack; waiting for it")
        _await_lock(lock, places)
    except OSError as error:
        raise StackFailed(
            f"the stack keeps its files in {places.folder}, which cannot be written: {error.strerror}",
            hint="make the project's folder writable",
        ) from error
    try:
        yield
    finally:
        lock.release()


def _await_lock(lock: BaseFileLock, places: Places) -> None:
    from filelock import Timeout

    try:
        lock.acquire(timeout=_LOCK_TIME)
    except Timeout as error:
        raise StackFailed(f"another command holds {places.lock} for more than {_LOCK_TIME:.0f} s") from error


def _clean(places: Places, progress: Progress) -> bool:
    """End and remove what is left of this project's stacks; tell whether anything was."""
    lost = guard.members(places.mark)
    if lost:
        progress(f"ending {len(lost)} processes that a stack left behind")
        if left := guard.sweep(places.mark):
            raise StackFailed(f"these processes of the stack could not be ended: {', '.join(map(str, left))}")
    if places.engine.exists():
        _clean_engine(places, progress)
    found = places.state.exists() or any(True for _ in places.leftovers())
    places.clear()
    return bool(lost) or found


def _clean_engine(places: Places, progress: Progress) -> None:
    """Remove from the Docker engine what is left of this project's stacks there."""
    from samjhadoo_ops import engine

    client = engine.connect()
    try:
        wanted = {engine.PROJECT: places.mark}
        if left := engine.leftovers(client, wanted):
            progress(f"removing {len(left)} containers, networks and volumes that a stack left behind")
            removal.remove(wanted)
        if staying := engine.leftovers(client, wanted):
            names = ", ".join(str(each.name) for each in staying)
            raise StackFailed(f"the Docker engine did not remove {names}")
    finally:
        client.close()
    places.engine.unlink(missing_ok=True)


def _launch(plan: Plan, places: Places) -> None:
    """Start the supervisor and wait until the stack is up."""
    run = places.run(plan.id)
    run.mkdir(parents=True, mode=0o700)
    write(run / "plan.json", plan)
    if plan.kind == "containers":
        places.engine.touch()
    reading, writing = os.pipe()
    try:
        with (places.folder / "supervisor.log").open("wb") as log:
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
        report = _read_report(reading)
    except BaseException:
        # Interrupted: what is half started is ended by the supervisor, or by force.
        _end_half_started(process, places)
        raise
    finally:
        os.close(reading)
    if report.get("up"):
        # It goes on without us; we are not told of its end.
        process.returncode = 0
        return
    details = tuple(report.get("details", ()))
    _end_half_started(process, places)
    if not report:
        details = tuple((places.folder / "supervisor.log").read_text(errors="replace").splitlines()[-20:])
    raise StackFailed(
        f"the stack did not start: {report.get('failed', 'its supervisor ended or did not answer')}",
        changed="nothing; what had been started was ended",
        details=details,
    )


def _read_report(descriptor: int) -> dict[str, Any]:
    if not select.select([descriptor], [], [], _START_TIME)[0]:
        return {}
    with os.fdopen(os.dup(descriptor), "rb") as pipe:
        line = pipe.readline()
    report: dict[str, Any] = json.loads(line) if line else {}
    return report


def _end_half_started(process: subprocess.Popen[bytes], places: Places) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_TIME)
    guard.sweep(places.mark)
    places.clear()
    if places.engine.exists():
        with suppress(OpsError):  # why it did not start is told; the next start or stop tries again
            _clean_engine(places, lambda _: None)


def _terminate(state: StackState) -> None:
    """Ask the supervisor to end the stack, and wait until it has."""
    reference = state.supervisor
    with suppress(ProcessLookupError):
        os.kill(reference.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_TIME
    while exits.is_alive(reference.pid, reference.started) and time.monotonic() < deadline:
        time.sleep(_TICK)
