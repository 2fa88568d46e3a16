"""The state of an environment's stacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.infrastructure.cost import Estimate
    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext


def show_status(infrastructure: InfrastructureContext) -> list[str]:
    """Show each stack with its state; return those that do not exist."""
    console, rows, missing = infrastructure.console, [], []
    for stack, state in infrastructure.states():
        made = state is not None and not state.is_new
        if not made:
            missing.append(stack.key)
        status = state.status if state is not None and made else "does not exist"
        updated = f"{state.updated:%Y-%m-%d %H:%M}" if state is not None and made and state.updated else ""
        protected = "protected" if state is not None and state.protected else ""
        rows.append((stack.key, status, updated, protected, stack.region, stack.name))
        for name, value in state.outputs.items() if state is not None else ():
            console.state("stack-output", stack=stack.key, output=name, value=value)
    columns = ("Stack", "Status", "Updated", "Protection", "Region", "Name")
    console.table(columns, rows, event="stack-status")
    return missing


def show_cost(console: Console, estimated: Estimate) -> None:
    """Show what a month costs; with `--verbose`, everything that costs something."""
    for cost in estimated.costs:
        console.state("cost", title=cost.title, dollars=cost.dollars)
        if console.verbose:
            console.show(f"  {cost}")
    console.show(str(estimated))
