"""What runs that died have left behind: deployments without a recorded end, and locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.finish import finish_unlock, finish_unwatched
from samjhadoo_ops.deployment.lock import break_lock, read_lock
from samjhadoo_ops.deployment.outcome import Phase, observe, phase_of
from samjhadoo_ops.deployment.rollout import started_unseen
from samjhadoo_ops.errors import PersonNeeded, Refused

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.journal import JournalEntry, PastDeployments
    from samjhadoo_ops.deployment.lock import LockOwner
    from samjhadoo_ops.deployment.outcome import Observation
    from samjhadoo_ops.deployment.run import Run, ServiceContext


def deployment_of(context: ServiceContext, entry: JournalEntry) -> str:
    """Return the service deployment of a journal entry; empty when none was started.

    A run that died between UpdateService and its answer has not recorded the deployment, so ECS is queried.
    """
    known = entry.data.get("deployment")
    if known:
        return str(known)
    starting = entry.last("starting")
    if starting is None or not entry.task_definition:
        return ""
    return started_unseen(
        context.ecs,
        task_definition=entry.task_definition,
        known=set(starting.data.get("known", ())),
    )


def settle_unfinished(run: Run, past: PastDeployments) -> None:
    """Record what became of deployments that no run watched to their end.

    Args:
        run: It holds the lock, so the runs that began them are gone.
        past: The service's deployments.

    Raises:
        Refused: One of them goes on.
    """
    for entry in past.unfinished():
        arn = deployment_of(run, entry)
        observed = _observed(run, arn)
        phase = phase_of(observed) if observed else None
        if phase is not None and not phase.ended:
            raise Refused(
                f"the {entry.kind} {entry.deploy} by {entry.data.get('by', 'an unknown user')} "
                f"is unfinished: {arn} is {phase.value}",
                hint=f"resume it: invoke deploy --resume {entry.deploy} {run.env.options}; "
                f"or roll it back: invoke rollback {run.env.options}",
            )
        finish_unwatched(run, entry, observed)


def unlock(context: ServiceContext, *, reason: str, dry: bool = False) -> LockOwner | None:
    """Release the deployment lock and return who held it, if anybody; see `break_lock`."""
    found = read_lock(context.journal.store, context.journal.lock_key)
    if found is None or (found[0].released and not found[0].damage):
        return None
    if dry:
        return found[0]
    recorder = context.journal.recorder(
        "unlock", context.clock, **context.origin, reason=reason, owner=str(found[0])
    )
    owner = break_lock(context.journal.store, context.journal.lock_key)
    finish_unlock(recorder, owner)
    return owner


def _observed(context: ServiceContext, arn: str) -> Observation | None:
    if not arn:
        return None
    try:
        observed = observe(context.ecs.deployment(arn))
    except PersonNeeded:
        return None  # ECS has forgotten it, so it ended long ago
    if phase_of(observed) is Phase.STOPPED:
        current = (context.ecs.describe() or {}).get("currentServiceDeployment")
        return observe(context.ecs.deployment(arn), current=current)
    return observed
