"""The protection of stacks that hold data: against their deletion, and against updates that lose the data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import Refused
from samjhadoo_ops.infrastructure.templates import DATA_STORES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from samjhadoo_ops.infrastructure.changes import ResourceChange
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext, Proposal
    from samjhadoo_ops.infrastructure.stacks import Stack


class DataAtRisk(Refused):
    """A change would lose data, and nobody has named it."""


def require_named(proposals: Sequence[Proposal], named: Collection[str], *, env: str) -> None:
    """Raise `DataAtRisk` unless every data store that would be replaced or deleted is named.

    Args:
        named: Resources as in their templates, or as STACK.RESOURCE.
    """
    lost = [(each.stack, change) for each in proposals for change in each.losses]
    unnamed = [(stack, change) for stack, change in lost if not _names(named, stack, change)]
    if not unnamed:
        return
    options = " ".join(f"--replace {stack.key}.{change.id}" for stack, change in unnamed)
    raise DataAtRisk(
        f"{len(unnamed)} data store{'s' if len(unnamed) > 1 else ''} would be lost",
        hint=f"undo the change; or, if the data may go: invoke infra.apply --env {env} {options}",
        details=tuple(
            f"{stack.key}: {change.id} ({change.type}) {change.physical}: {change.effect.words}"
            for stack, change in unnamed
        ),
    )


def policy(allowed: Sequence[str] = ()) -> str:
    """Return a stack policy that allows every update but those that lose a data store.

    Args:
        allowed: Resources that may be replaced or deleted all the same.
    """
    everything = {"Impact": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
    protected = {
        "Impact": "Deny",
        "Principal": "*",
        "Action": ["Update:Replace", "Update:Delete"],
        "Condition": {"StringEquals": {"ResourceType": sorted(DATA_STORES)}},
    }
    if not allowed:
        return json.dumps({"Statement": [everything, protected | {"Resource": "*"}]})
    kept = [f"LogicalResourceId/{name}" for name in allowed]
    return json.dumps({"Statement": [everything, protected | {"NotResource": kept}]})


def protect(infrastructure: InfrastructureContext, stack: Stack) -> None:
    """Protect a stack with data stores, as the settings say."""
    if not stack.template.holds_data or not stack.env.infrastructure.protection:
        return
    cloudformation = infrastructure.cloudformation(stack)
    cloudformation.set_policy(stack.name, policy())
    cloudformation.protect(stack.name, enabled=True)


def permit(infrastructure: InfrastructureContext, proposal: Proposal) -> None:
    """Let an update lose the data stores that were named; `protect` takes that back afterwards."""
    if proposal.losses and not proposal.is_new and proposal.stack.env.infrastructure.protection:
        names = [change.id for change in proposal.losses]
        infrastructure.cloudformation(proposal.stack).set_policy(proposal.stack.name, policy(names))


def _names(named: Collection[str], stack: Stack, change: ResourceChange) -> bool:
    return change.id in named or f"{stack.key}.{change.id}" in named
