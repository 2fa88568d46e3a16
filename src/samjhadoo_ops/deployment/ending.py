"""How a deploy ends that did not succeed: one screen that says what, where, why and what next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.diagnosis import Diagnosis
from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.lock import LostLock
from samjhadoo_ops.deployment.outcome import Phase
from samjhadoo_ops.deployment.rollback import requested_by
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded
from samjhadoo_ops.report.failure import screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.deployment.journal import Recorder
    from samjhadoo_ops.deployment.rollout import Started
    from samjhadoo_ops.deployment.seen import Ending
    from samjhadoo_ops.deployment.site import Site
    from samjhadoo_ops.report.failure import FailureReport


@dataclass(frozen=True)
class Course:
    """A deployment on its way, with what is known of it here.

    Attributes:
        release: The new release's version.
        digest: Of its image.
        changes: What has been changed so far, for people.

    """

    started: Started
    task_definition: str
    release: str
    digest: str
    recorder: Recorder
    changes: Sequence[str]


_GOOD = frozenset({Phase.SUCCEEDED, Phase.BAKING, Phase.CLEANING_UP, Phase.CANARY, Phase.BEFORE_FULL})


def settle_ending(site: Site, course: Course, ending: Ending) -> None:
    """Go on only when a deployment ended well.

    Raises:
        DeploymentFailed: It was rolled back: the former release serves.
        PersonNeeded: It ended in any other way.

    """
    if ending.phase in _GOOD:
        return
    started = course.started
    reason = ending.reason or _reason(site, ending, course.recorder)
    found = _found(site, course, ending, reason)
    failure = DeploymentFailed if ending.phase is Phase.ROLLED_BACK and not started.first else PersonNeeded
    end = {"outcome": ending.phase.value, "reason": reason, "seconds": ending.seconds}
    try:
        course.recorder.write(FINISHED, **end, exit_code=int(failure.exit_code))
    except LostLock:
        raise
    except Exception as error:  # noqa: BLE001 - how it ended is known, and matters more than the record of it
        site.console.event("unrecorded", f"the journal could not be written: {error}")
    raise failure(
        f"deployment {started.arn.rpartition('/')[2]} {_ended(ending, started)}: {reason}",
        changed="; ".join(course.changes),
        hint=_hint(ending, started),
        details=screen(found),
        failure=found.document(),
    )


def _found(site: Site, course: Course, ending: Ending, reason: str) -> FailureReport:
    """Return what is known of a failure, on record or by asking."""
    started, turn = course.started, ending.turn
    diagnosis = Diagnosis(
        site, ending.observed, task_definition=course.task_definition, deploy=course.recorder.deploy
    )
    return diagnosis.found(
        release=course.release,
        deployment=started.arn,
        reason=reason,
        phase=turn.phase.value if turn else "",
        weight=turn.weight if turn else None,
        since=turn.since if turn else None,
        verdict=ending.verdict.numbers() if ending.verdict and ending.verdict.signal else {},
    )


def _reason(site: Site, ending: Ending, recorder: Recorder) -> str:
    if ending.phase is Phase.SUPERSEDED:
        return f"somebody else started {ending.observed.current}"
    person = requested_by(site, ending.observed.arn, apart_from=recorder)
    if person:
        return f"a rollback was requested by hand, by {person}"
    return ending.observed.reason or "ECS gives no reason"


def _ended(ending: Ending, started: Started) -> str:
    if started.first:
        return "failed; it is the first, so there is no release to go back to"
    if ending.phase is Phase.ROLLED_BACK:
        return "was rolled back and the former release serves all traffic"
    return f"ended {ending.phase.value}"


def _hint(ending: Ending, started: Started) -> str:
    if started.first:
        return "correct the release, then: invoke deploy"
    if ending.phase is Phase.ROLLED_BACK:
        return "correct the release, then: invoke deploy; invoke history shows what was tried"
    return "invoke status shows what serves; invoke rollback returns to the last release that worked"
