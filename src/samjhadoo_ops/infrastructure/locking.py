"""Who may change the stacks: one run at a time, and no listener rule while a deployment moves the traffic."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.journal import DeploymentJournal
from samjhadoo_ops.deployment.lock import DeploymentLock
from samjhadoo_ops.deployment.objects import S3Objects
from samjhadoo_ops.errors import Refused
from samjhadoo_ops.infrastructure.live import running_deployment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import ExitStack

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext, Proposal
    from samjhadoo_ops.infrastructure.stacks import Stack

TITLE = "infrastructure lock"
_PAUSE = 1.0


@contextmanager
def infrastructure_lock(
    infrastructure: InfrastructureContext, *, reason: str, lock_wait: float = 0.0
) -> Iterator[Callable[[], None]]:
    """Hold the environment's infrastructure lock; yield a function that raises once it is lost.

    The lock is an object in the journal's bucket. Before the stacks have made the bucket there is no lock:
    CloudFormation itself refuses a second change of a stack then.

    Raises:
        Refused: Another run holds it.
    """
    env, clock = infrastructure.env, infrastructure.clock
    lock = DeploymentLock(
        S3Objects(infrastructure.aws.client("s3"), env.journal.bucket),
        f"{env.journal.prefix.strip('/')}/{env.name}.infrastructure.lock.json",
        lease=clock.real(env.lock.lease),
        reason=reason,
        now=clock.now(),
        title=TITLE,
        patience=clock.real(lock_wait),
        pause=_PAUSE,
        report=infrastructure.console.line,
    )
    if not _has_bucket(infrastructure):
        yield lambda: None
        return
    with lock:
        yield lock.ensure


def hold_services(infrastructure: InfrastructureContext, stack: Stack, held: ExitStack) -> None:
    """Hold the deployment locks of a stack's services, so that no deployment begins meanwhile.

    Raises:
        Refused: A deployment holds its lock.
    """
    clock = infrastructure.clock
    if not _has_bucket(infrastructure):
        return
    for env in services_of(stack):
        journal = DeploymentJournal(
            S3Objects(infrastructure.aws.client("s3"), env.journal.bucket),
            prefix=env.journal.prefix,
            environment=env.name,
            service=env.service.name,
        )
        lease = clock.real(env.lock.lease)
        lock = DeploymentLock(
            journal.store, journal.lock_key, lease=lease, reason=f"infra.apply {stack.key}", now=clock.now()
        )
        held.enter_context(lock)


def require_quiet(infrastructure: InfrastructureContext, proposals: Sequence[Proposal]) -> None:
    """Raise `Refused` if listener rules would be touched while a deployment of their service runs."""
    for proposal in proposals:
        for env in services_of(proposal.stack) if proposal.traffic else ():
            running = running_deployment(infrastructure.aws, env)
            if running:
                touched = ", ".join(change.id for change in proposal.traffic)
                raise Refused(
                    f"{proposal.stack.key}: a deployment of {env.service.name} is in progress, and {touched} "
                    "decides where its traffic goes",
                    hint=f"wait for it: invoke watch {env.options}",
                    details=(f"service deployment: {running}",),
                )


def services_of(stack: Stack) -> list[Environment]:
    """Return the environment of each service that a stack serves."""
    return list(stack.env.services.values()) or [stack.env]


def _has_bucket(infrastructure: InfrastructureContext) -> bool:
    """Return whether the journal's bucket exists."""
    s3: Any = infrastructure.aws.client("s3")
    try:
        s3.head_bucket(Bucket=infrastructure.env.journal.bucket)
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
        if code not in {"404", "NoSuchBucket"}:
            raise
        return False
    return True
