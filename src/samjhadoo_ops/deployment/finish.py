"""How a run ends: the only module that records endings, and the owner of their exit codes.

A run has finished when nothing of it continues. It has left when a deployment continues in ECS without it;
`invoke watch` comes back to that.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.diagnosis import Diagnosis
from samjhadoo_ops.deployment.journal import FINISHED, LEFT, STARTED
from samjhadoo_ops.deployment.lock import LostLock
from samjhadoo_ops.deployment.outcome import Phase, phase_of
from samjhadoo_ops.errors import (
    ConfigurationError,
    DeploymentFailed,
    ExitCode,
    OpsError,
    PersonNeeded,
    Refused,
    WaitingForPerson,
)
from samjhadoo_ops.report.failure import screen
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.deployment.journal import JournalEntry, Recorder
    from samjhadoo_ops.deployment.lock import LockOwner
    from samjhadoo_ops.deployment.outcome import Ending, Observation, PinnedDeployment
    from samjhadoo_ops.deployment.run import Run
    from samjhadoo_ops.release.image import BuiltImage
    from samjhadoo_ops.report.failure import FailureReport

UNTIL = {
    "canary": frozenset({Phase.CANARY, Phase.BEFORE_FULL, Phase.BAKING, Phase.CLEANING_UP}),
    "bake": frozenset({Phase.BAKING, Phase.CLEANING_UP}),
    "done": frozenset[Phase](),
}
"""Phases in which a run may leave a deployment to ECS, by the word for `--until`."""
_LEFT = {
    Phase.CANARY: "canary",
    Phase.BEFORE_FULL: "canary",
    Phase.BAKING: "baking",
    Phase.CLEANING_UP: "baking",
}

_GOOD = frozenset({Phase.SUCCEEDED, *_LEFT})
_STOPPED_WELL = frozenset({Phase.ROLLED_BACK, Phase.SUCCEEDED})
"""How stopping a deployment may end: it was rolled back, or it had succeeded just before."""


class EndedBefore(OpsError):
    """A deployment that had ended before it was resumed or watched; its exit code is the ending's."""

    def __init__(self, entry: JournalEntry) -> None:
        data = entry.data
        why = data.get("reason") or data.get("error")
        super().__init__(
            f"{entry.kind} {entry.deploy} has ended: {entry.outcome}{f': {why}' if why else ''}",
            hint="invoke history shows all of them; invoke deploy starts a new one",
        )
        self.exit_code = _recorded_code(entry)


@dataclass(frozen=True)
class Left:
    """A deployment that continues in ECS while no run watches it.

    Attributes:
        reattach: The command that watches it again.
        acts_at: When ECS acts by itself, on the clock: it rolls a canary back, it completes a bake.
        seconds: Until then, on the clock.
        when: The same for people.
    """

    reattach: str
    acts_at: datetime
    seconds: float
    when: str


@dataclass(frozen=True)
class Deployed:
    """A deploy that succeeded, or was left to ECS.

    Attributes:
        outcome: `succeeded`, `unchanged`, `updated`; `canary` or `baking` when it was left to ECS.
        deploy: The journal's deploy.
        seconds: Real seconds spent in each part.
        over: Whether it had ended before this run looked.
    """

    outcome: str
    release: str
    digest: str
    deploy: str = ""
    deployment: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    left: Left | None = None
    kind: str = "deploy"
    over: bool = False

    def sentence(self, url: str) -> str:
        """Return the ending in a sentence; the command that watches a deployment again is its last line."""
        release = short(self.release)
        if self.over:
            return (
                f"nothing to watch or resume: {self.kind} {self.deploy}, of release {release or 'unknown'}, "
                f"has ended: {self.outcome}"
            )
        if self.outcome == "unchanged":
            return f"release {release} is deployed already: nothing was changed; it serves {url}"
        if self.outcome == "updated":
            return f"release {release} is deployed already; its service was updated; it serves {url}"
        if self.left and self.outcome == "canary":
            return (
                f"release {release} has its canary's traffic, and no run watches it now\n"
                f"! ECS rolls it back in about {self.left.when}, unless you watch it:\n{self.left.reattach}"
            )
        if self.left:
            return (
                f"release {release} serves {url}\n"
                f"ECS keeps the old release for about {self.left.when}, and then ends; to watch that:\n"
                f"{self.left.reattach}"
            )
        if self.kind == "rollback":
            return f"rolled back: {release} serves {url}"
        return f"release {release} is deployed and serves {url}"

    def fields(self) -> dict[str, Any]:
        """Return the ending as data."""
        left = self.left
        return {
            "release": self.release,
            "digest": self.digest,
            "deploy": self.deploy,
            "deployment": self.deployment,
            "seconds": self.seconds,
            **(
                {"reattach": left.reattach, "acts_at": left.acts_at, "seconds_left": round(left.seconds)}
                if left
                else {}
            ),
        }


@contextmanager
def recorded(run: Run) -> Iterator[None]:
    """Record the end of what the block does, if the block has not.

    While a deployment may continue in ECS (`Run.in_flight`) an error does not end it: it is recorded as left,
    so that it can be watched again. A run that has lost its lock writes nothing: the journal is another's.

    Raises:
        OpsError: What the block raised, an AWS client's error in our words.
        PersonNeeded: An AWS call failed while a deployment may continue in ECS.
    """
    from samjhadoo_ops.aws_errors import translate

    try:
        yield
    except OpsError as error:
        error.changed = run.changed(error.changed)
        if isinstance(error, LostLock):
            raise
        final = _in_doubt(run, error)
        _record_failure(run, final, cause=error)
        if final is error:
            raise
        raise final from error
    except (KeyboardInterrupt, SystemExit) as interrupt:
        if not run.recorder.finished:
            run.report("interrupted", f"interrupted; changed: {run.changed() or 'nothing'}")
        _record_once(run, _event(run), outcome="interrupted", exit_code=_code_of(interrupt))
        raise
    except Exception as error:
        translated = translate(error, changed=run.changed())
        known = translated and _in_doubt(run, translated)
        code = int(known.exit_code if known else ExitCode.UNEXPECTED)
        text = f"{type(error).__name__}: {error}"
        _record_once(run, _event(run), outcome="failed", error=text, exit_code=code)
        if known is None:
            raise
        raise known from error


def without_deployment(run: Run, image: BuiltImage, outcome: str) -> Deployed:
    """End a deploy that had nothing to deploy."""
    code = int(ExitCode.SUCCEEDED)
    run.record(FINISHED, outcome=outcome, release=image.tag, digest=image.digest, exit_code=code)
    return Deployed(outcome, image.tag, image.digest, deploy=run.recorder.deploy, seconds=run.seconds)


def interrupted(run: Run, phase: Phase, interrupt: BaseException) -> None:
    """Record that a watch was interrupted, and where the deployment was then."""
    event = FINISHED if phase.ended else LEFT
    run.record(event, outcome=f"interrupted, {phase.value}", exit_code=_code_of(interrupt))


def finish(run: Run, pinned: PinnedDeployment, ending: Ending, **data: Any) -> Deployed:
    """End a run whose deployment has ended, or is left to ECS.

    Args:
        data: What the journal records of the ending besides.

    Raises:
        DeploymentFailed: It was rolled back: the previous release serves.
        PersonNeeded: It ended in any other way that was not requested.
    """
    good = _STOPPED_WELL if pinned.kind == "stop" else _GOOD
    if ending.phase not in good:
        raise _failure(run, pinned, ending, **data)
    outcome, left = _left_to_ecs(run, ending)
    if left is None:
        code = int(ExitCode.SUCCEEDED)
        run.record(FINISHED, outcome=outcome, seconds=run.seconds, **data, exit_code=code)
    else:
        run.record(LEFT, outcome=f"left {outcome}", seconds=run.seconds, acts_at=left.acts_at)
    return Deployed(
        outcome,
        pinned.release,
        pinned.digest,
        deploy=run.recorder.deploy,
        deployment=pinned.arn,
        seconds=run.seconds,
        left=left,
        kind=pinned.kind,
    )


def finish_unwatched(run: Run, entry: JournalEntry, observed: Observation | None) -> None:
    """Record how a deployment ended that no run watched; None for one that was never started."""
    recorder = run.journal.reopen(entry, run.clock, token=run.token)
    if observed is None:
        code = int(ExitCode.UNEXPECTED)
        recorder.write(FINISHED, outcome="abandoned", reason="the run ended before", exit_code=code)
        return
    phase = phase_of(observed)
    recorder.write(
        FINISHED,
        outcome=phase.value,
        deployment=observed.arn,
        reason=observed.reason,
        exit_code=int(phase.exit_code or 0),
    )
    run.report("recorded", f"{entry.kind} {entry.deploy}, which no run watched, ended: {phase.value}")


def finish_unlock(recorder: Recorder, owner: LockOwner | None) -> None:
    """Record whether a lock was released."""
    recorder.write(FINISHED, outcome="unlocked" if owner else "unchanged")


def ending_of(entry: JournalEntry) -> Deployed:
    """Return how a deploy ended before; raise `EndedBefore` if it did not end well."""
    if _recorded_code(entry) is not ExitCode.SUCCEEDED:
        raise EndedBefore(entry)
    data = entry.data
    return Deployed(
        entry.outcome,
        str(data.get("release", "")),
        str(data.get("digest", "")),
        deploy=entry.deploy,
        deployment=str(data.get("deployment", "")),
        kind=entry.kind,
        over=True,
    )


def _record_failure(run: Run, final: OpsError, *, cause: OpsError) -> None:
    """Record an error as the end of the run, or as why it left its deployment."""
    event, outcome = _event(run), "failed"
    if isinstance(cause, WaitingForPerson):  # the deployment continues in ECS, and a later run can watch it
        event, outcome = LEFT, "left paused"
    elif isinstance(cause, DeploymentFailed | Refused | ConfigurationError):
        event = FINISHED
    _record_once(run, event, outcome=outcome, error=cause.message, exit_code=int(final.exit_code))


def _in_doubt(run: Run, error: OpsError) -> OpsError:
    """Return what a failure means: while a deployment may continue in ECS, that a person is needed."""
    if not run.in_flight or error.exit_code != ExitCode.UNEXPECTED:
        return error
    return PersonNeeded(
        f"the deployment may continue in ECS without this run: {error.message}",
        hint="invoke status shows how far it is; then invoke watch to watch it, or invoke rollback",
        changed=error.changed,
        details=error.details,
        failure=error.failure,
    )


def _event(run: Run) -> str:
    return LEFT if run.in_flight else FINISHED


def _code_of(interrupt: BaseException) -> int:
    return int(ExitCode.INTERRUPTED if isinstance(interrupt, KeyboardInterrupt) else ExitCode.TERMINATED)


def _record_once(run: Run, event: str, **data: Any) -> None:
    """Record the end unless it is recorded; when even that fails, the error that led here matters more."""
    if run.recorder.finished:
        return
    try:
        run.record(event, **data)
    except Exception as error:  # noqa: BLE001  # the store may be what is out of reach
        run.report("unrecorded", f"the journal could not be written: {error}")


def _left_to_ecs(run: Run, ending: Ending) -> tuple[str, Left | None]:
    """Return the outcome of a successful watch, and what ECS does by itself when the deployment continues."""
    outcome = _LEFT.get(ending.phase)
    if outcome is None:
        return ending.phase.value, None
    now = run.clock.timestamp()
    expiries = [hook.expires_at.timestamp() for hook in ending.observed.waiting_hooks if hook.expires_at]
    acts = now + run.env.deployment.bake_time
    if outcome == "canary":
        pause = run.env.deployment.canary_time + run.env.deployment.hook_timeouts.production
        acts = min(expiries, default=now + pause)
    reattach = f"invoke watch {run.env.options} --deploy {run.recorder.deploy}"
    seconds = max(0.0, acts - now)
    return outcome, Left(reattach, datetime.fromtimestamp(acts, UTC), seconds, run.clock.words(seconds))


def _failure(run: Run, pinned: PinnedDeployment, ending: Ending, **data: Any) -> OpsError:
    """Record an unsuccessful ending, and return the error with its failure screen."""
    reason = ending.reason or _reason(run, ending)
    found = _diagnose(run, pinned, ending, reason)
    safe = ending.phase is Phase.ROLLED_BACK and not pinned.first
    error = (DeploymentFailed if safe else PersonNeeded)(
        _message(pinned, ending, reason),
        changed=run.changed(),
        hint=_hint(run, pinned, ending),
        details=screen(found),
        failure=found.document(),
    )
    known = {"outcome": ending.phase.value, "reason": reason, "seconds": ending.seconds, **data}
    _record_once(run, FINISHED, **known, exit_code=int(error.exit_code))
    return error


def _diagnose(run: Run, pinned: PinnedDeployment, ending: Ending, reason: str) -> FailureReport:
    """Return what is known of a failure, from the journal or by asking AWS."""
    turn, deploy = ending.turn, run.recorder.deploy
    diagnosis = Diagnosis(run, ending.observed, task_definition=pinned.task_definition, deploy=deploy)
    return diagnosis.found(
        ending.starting,
        release=pinned.release,
        deployment=pinned.arn,
        reason=reason,
        phase=turn.phase.value if turn else "",
        weight=turn.weight if turn else None,
        since=turn.since if turn else None,
        real_since=run.clock.real(turn.since) if turn and run.clock.emulated else None,
        verdict=ending.verdict.numbers() if ending.verdict and ending.verdict.signal else {},
    )


def _reason(run: Run, ending: Ending) -> str:
    if ending.phase is Phase.SUPERSEDED:
        return f"another deployment replaced it: {ending.observed.current}"
    person = _rollback_requested_by(run, ending.observed.arn)
    if person:
        return f"a rollback was requested by hand, by {person}"
    return ending.observed.reason or "ECS gives no reason"


def _rollback_requested_by(run: Run, arn: str) -> str:
    """Return who requested the rollback of a deployment by hand; empty when nobody did."""
    for entry in run.journal.entries(limit=5):
        data = entry.known(STARTED)
        ours = entry.deploy == run.recorder.deploy
        if not ours and data.get("kind") == "rollback" and data.get("deployment") == arn:
            return str(data.get("by", "an unknown user"))
    return ""


def _message(pinned: PinnedDeployment, ending: Ending, reason: str) -> str:
    if pinned.kind == "stop":
        return f"the rollback of {pinned.arn} ended: {ending.phase.value}, {reason}"
    if pinned.kind == "rollback":
        return f"the rollback to {pinned.title} ended: {ending.phase.value}, {reason}"
    name = f"deployment {pinned.arn.rpartition('/')[2]}"
    if pinned.first:
        return f"{name} failed; it is the first, so there is no release to roll back to: {reason}"
    if ending.phase is Phase.ROLLED_BACK:
        return f"{name} was rolled back and the previous release serves all traffic: {reason}"
    return f"{name} ended {ending.phase.value}: {reason}"


def _hint(run: Run, pinned: PinnedDeployment, ending: Ending) -> str:
    if ending.starting:
        limit = run.env.rollback.deployment_timeout
        longer = f"if it only needs longer than {limit}, raise deployment_timeout in [rollback]"
        return f"correct the release; {longer}; then: invoke deploy"
    if pinned.kind == "stop":
        return "invoke status; then check the service's events in ECS"
    if pinned.kind == "rollback":
        return "invoke status"
    if pinned.first:
        return "correct the release, then: invoke deploy"
    if ending.phase is Phase.ROLLED_BACK:
        return "correct the release, then: invoke deploy; invoke history lists what was deployed"
    return "invoke status shows what is running; invoke rollback returns to the last release that worked"


def _recorded_code(entry: JournalEntry) -> ExitCode:
    """Return the exit code of a recorded ending."""
    known = entry.data.get("exit_code")
    if known in set(ExitCode):
        return ExitCode(known)
    good = entry.outcome in {"succeeded", "unchanged", "rolled back" if entry.kind == "rollback" else ""}
    return ExitCode.SUCCEEDED if good else ExitCode.UNEXPECTED
