"""Deleting an environment's stacks, in the reverse order of their making."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import Refused
from samjhadoo_ops.infrastructure.apply import settle
from samjhadoo_ops.infrastructure.live import service_exists
from samjhadoo_ops.infrastructure.locking import infrastructure_lock
from samjhadoo_ops.infrastructure.protection import DataAtRisk
from samjhadoo_ops.infrastructure.templates import DATA_STORES
from samjhadoo_ops.infrastructure.watch import failure, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samjhadoo_ops.infrastructure.cloudformation import StackDescription
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext
    from samjhadoo_ops.infrastructure.stacks import Stack

KEPT = ("Retain", "RetainExceptOnCreate")
"""The deletion policies that leave a resource alone."""


@dataclass(frozen=True)
class Doomed:
    """A stack that is to be deleted, with the data stores that its template does not keep."""

    stack: Stack
    state: StackDescription
    stores: tuple[str, ...]


def doomed_stacks(infrastructure: InfrastructureContext) -> list[Doomed]:
    """Return the stacks that exist, in the order of their deletion."""
    return [
        Doomed(stack, state, data_stores(stack))
        for stack, state in reversed(infrastructure.states())
        if state is not None
    ]


def data_stores(stack: Stack) -> tuple[str, ...]:
    """Return the data stores that a deletion of the stack would delete, as `Bucket (AWS::S3::Bucket)`."""
    return tuple(
        f"{name} ({resource['Type']})"
        for name, resource in stack.template.resources.items()
        if resource.get("Type") in DATA_STORES and resource.get("DeletionPolicy") not in KEPT
    )


def destroy(
    infrastructure: InfrastructureContext, *, named: Sequence[str], confirm: Callable[[list[Doomed]], None]
) -> list[str]:
    """Delete all stacks; return their names.

    Nothing is emptied before: CloudFormation refuses to delete a bucket or a repository that is not empty,
    and that is reported.

    Args:
        named: The stacks with data stores that may be deleted.
        confirm: Asks for confirmation; raises if it is refused.

    Raises:
        Refused: The stacks are protected, another run works, a service still runs, or a stack with data
            stores is not named.
        StackBroken: A stack could not be deleted.
    """
    for key in named:
        infrastructure.stacks.find(key)
    with infrastructure_lock(infrastructure, reason="infra.destroy") as ensure:
        settle(infrastructure)
        doomed = doomed_stacks(infrastructure)
        _require_unprotected(infrastructure, doomed)
        _require_named(infrastructure, doomed, named)
        _require_no_service(infrastructure, doomed)
        if not doomed:
            return []
        confirm(doomed)
        deleted: list[str] = []
        for each in doomed:
            ensure()
            _delete(infrastructure, each, deleted)
            deleted.append(each.stack.key)
        return deleted


def _delete(infrastructure: InfrastructureContext, doomed: Doomed, deleted: Sequence[str]) -> None:
    stack, cloudformation = doomed.stack, infrastructure.cloudformation(doomed.stack)
    if doomed.state.protected:
        cloudformation.protect(stack.name, enabled=False)
    after = cloudformation.newest_event(doomed.state.id)
    infrastructure.console.event("stack-began", f"deleting {stack.key}", stack=stack.key)
    cloudformation.delete(stack.name)
    events = watch(cloudformation, stack, doomed.state.id, after=after, console=infrastructure.console)
    infrastructure.console.state("stack-ended", stack=stack.key, status=events.status)
    if not events.succeeded:
        raise failure(stack, events, changed=f"deleted {', '.join(deleted)}; " if deleted else "")


def _require_unprotected(infrastructure: InfrastructureContext, doomed: Sequence[Doomed]) -> None:
    env = infrastructure.env
    if doomed and env.infrastructure.protection:
        source = env.sources.get(("infrastructure", "protection"), "the settings")
        raise Refused(
            f"the stacks are protected against deletion: infrastructure.protection in {source}",
            hint=f"set infrastructure.protection = false; then: invoke infra.apply --env {env.name}",
        )


def _require_named(
    infrastructure: InfrastructureContext, doomed: Sequence[Doomed], named: Sequence[str]
) -> None:
    unnamed = [each for each in doomed if each.stores and each.stack.key not in named]
    if unnamed:
        options = " ".join(f"--data {each.stack.key}" for each in unnamed)
        raise DataAtRisk(
            f"{', '.join(each.stack.key for each in unnamed)} would lose data; nothing was deleted",
            hint=f"if the data may go: invoke infra.destroy --env {infrastructure.env.name} {options}",
            details=tuple(f"{each.stack.key}: {', '.join(each.stores)}" for each in unnamed),
        )


def _require_no_service(infrastructure: InfrastructureContext, doomed: Sequence[Doomed]) -> None:
    """Raise if a service is left that a release has made: its cluster and target groups cannot be deleted."""
    if not doomed:
        return
    env = infrastructure.env
    for each in env.services.values() or [env]:
        if service_exists(infrastructure.aws, each):
            service = each.service
            raise Refused(
                f"the ECS service {service.name} still exists; a release made it, so no stack deletes it",
                hint=f"delete it first: aws ecs delete-service --cluster {service.cluster} --service "
                f"{service.name} --force",
            )
