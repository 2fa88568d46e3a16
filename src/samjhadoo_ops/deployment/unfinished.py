"""Deployments whose end the journal doesn't tell, because the run died or left them: what became of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.journal import FINISHED
from samjhadoo_ops.deployment.observation import observe
from samjhadoo_ops.deployment.outcome import Phase, phase_of
from samjhadoo_ops.deployment.rollout import started_unseen
from samjhadoo_ops.errors import ExitCode, PersonNeeded, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.journal import Entry
    from samjhadoo_ops.deployment.observation import Observation
    from samjhadoo_ops.deployment.site import Site

NOT_STARTED = "abandoned"


def unfinished(site: Site) -> list[Entry]:
    """Return the deployments whose end is not recorded, the newest first."""
    return site.journal.unfinished(datetime.fromtimestamp(site.clock.read(), UTC))


def deployment_of(site: Site, entry: Entry) -> str:
    """Return the service deployment of a journal entry; empty when none was started.

    A run that died between UpdateService and its answer has not written it down: ECS is asked.
    """
    known = entry.data.get("deployment")
    if known:
        return str(known)
    starting = entry.last("starting")
    if starting is None:
        return ""
    return started_unseen(
        site.ecs,
        task_definition=str(starting.data["task_definition"]),
        known=set(starting.data.get("known", ())),
    )


def settle(site: Site, *, token: int) -> None:
    """Record what became of deployments that nobody watched to their end.

    Args:
        token: Of the lock, which must be held: so whoever began them is gone.

    Raises:
        Refused: One of them goes on.

    """
    for entry in unfinished(site):
        arn = deployment_of(site, entry)
        observed = _observed(site, arn)
        phase = phase_of(observed) if observed else None
        if observed is not None and phase is not None and not phase.ended:
            raise Refused(
                f"the {entry.kind} {entry.deploy} by {entry.data.get('by', 'somebody')} is unfinished: "
                f"{arn} is {phase.value}",
                hint=f"go on with it: invoke deploy --resume {entry.deploy} {site.env.options}; "
                f"or take it back: invoke rollback {site.env.options}",
            )
        record_ending(site, entry, observed, token=token)


def record_ending(site: Site, entry: Entry, observed: Observation | None, *, token: int) -> None:
    """Record how a deployment ended that nobody watched; None for one that was never started."""
    recorder = site.journal.reopen(entry, site.clock, token=token)
    if observed is None:
        recorder.write(
            FINISHED, outcome=NOT_STARTED, reason="the run ended before", exit_code=int(ExitCode.UNEXPECTED)
        )
        return
    phase = phase_of(observed)
    recorder.write(
        FINISHED,
        outcome=phase.value,
        deployment=observed.arn,
        reason=observed.reason,
        exit_code=int(phase.exit_code or 0),
    )
    site.console.event("recorded", f"{entry.kind} {entry.deploy}, which nobody watched, ended: {phase.value}")


def _observed(site: Site, arn: str) -> Observation | None:
    if not arn:
        return None
    try:
        observed = observe(site.ecs.deployment(arn))
    except PersonNeeded:
        return None  # ECS has forgotten it, so it is over for long
    if phase_of(observed) is Phase.STOPPED:
        current = (site.ecs.describe() or {}).get("currentServiceDeployment")
        return observe(site.ecs.deployment(arn), current=current)
    return observed
