"""Showing what would change in an environment's stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.infrastructure.changes import counted, listed, summary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext, Proposal


def show(infrastructure: InfrastructureContext, proposals: Sequence[Proposal]) -> None:
    """Show the changes of each stack; those without are counted."""
    console = infrastructure.console
    for proposal in proposals:
        console.state("stack-plan", **_fields(proposal))
        if proposal.unchanged:
            continue
        stack = proposal.stack
        where = f", {stack.region}" if stack.region != infrastructure.env.aws.region else ""
        console.show(f"{stack.key} ({stack.name}{where}): {headline(proposal)}")
        for line in listed(proposal.changes, new=proposal.is_new, all_of_it=console.verbose):
            console.show(f"  {line}")
    same = [proposal.stack.key for proposal in proposals if proposal.unchanged]
    if same:
        console.show(f"✔ {len(same)} without changes: {', '.join(same)}")


def headline(proposal: Proposal) -> str:
    """Return in one line what happens to a stack."""
    number = len(proposal.changes)
    if proposal.missing:
        return f"new, up to {number} resources; CloudFormation is asked once {proposal.missing} exists"
    if proposal.undo:
        return f"its creation had failed: it is deleted and made again, up to {number} resources"
    return f"new, {number} resources" if proposal.is_new else summary(proposal.changes)


def totals(proposals: Sequence[Proposal]) -> str:
    """Return how many stacks would be made, changed and left."""
    new = sum(proposal.is_new for proposal in proposals)
    same = sum(proposal.unchanged for proposal in proposals)
    changed = len(proposals) - new - same
    parts = [f"{new} new" if new else "", f"{changed} changed" if changed else ""]
    return ", ".join([*filter(None, parts), f"{same} without changes"])


def _fields(proposal: Proposal) -> dict[str, Any]:
    stack = proposal.stack
    action = "unchanged" if proposal.unchanged else "create" if proposal.is_new else "update"
    return {
        "stack": stack.key,
        "name": stack.name,
        "region": stack.region,
        "action": action,
        "missing": proposal.missing,
        "resources": [change.fields for change in proposal.changes],
        "counts": counted(proposal.changes),
    }
