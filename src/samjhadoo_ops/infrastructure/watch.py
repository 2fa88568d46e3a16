"""Watching a stack until CloudFormation has ended an operation on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.clock import in_words
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded
from samjhadoo_ops.infrastructure.cloudformation import POLL
from samjhadoo_ops.infrastructure.events import StackEvents

if TYPE_CHECKING:
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.infrastructure.cloudformation import CloudFormation
    from samjhadoo_ops.infrastructure.events import ResourceState
    from samjhadoo_ops.infrastructure.stacks import Stack

REMINDER = 30.0
"""Real seconds after which a wait says again what it waits for."""
_SHOWN = 3


class StackNotApplied(DeploymentFailed):
    """CloudFormation could not apply a stack, and took back what it had done."""


class StackBroken(PersonNeeded):
    """CloudFormation could not take back what it had done; a person has to mend the stack."""


def watch(
    cloudformation: CloudFormation, stack: Stack, arn: str, *, after: str, console: Console
) -> StackEvents:
    """Show what happens in a stack until the operation ends, each resource once, when it has ended.

    Args:
        arn: The stack's, which also finds it when it is deleted.
        after: The id of the last event before the operation; empty to show all.
    """
    events, clock = StackEvents(arn, last=after), cloudformation.clock
    began = reminded = clock.read()
    try:
        while not events.ended:
            for event in cloudformation.events(arn, after=events.last):
                ended = events.record(event)
                if ended is not None:
                    _show(console, stack, ended)
            if events.ended:
                break
            if clock.read() - reminded > REMINDER:
                reminded = clock.read()
                _remind(console, stack, events, reminded - began)
            clock.sleep(POLL)
    except (KeyboardInterrupt, SystemExit):
        console.line(
            f"CloudFormation goes on with {stack.key} by itself; to watch it again: "
            f"invoke infra.apply --env {stack.env.name}"
        )
        raise
    return events


def failure(stack: Stack, events: StackEvents, *, changed: str) -> StackNotApplied | StackBroken:
    """Return the error of an operation that failed, with its cause in one line.

    Args:
        changed: What had been applied before.
    """
    details = tuple(state.cause for state in events.failures[1:])
    message = f"{stack.key}: {events.cause}"
    env, region = stack.env.name, f" --region {stack.region}" if stack.region != stack.env.aws.region else ""
    if events.status.endswith("ROLLBACK_COMPLETE"):
        hint = f"correct {stack.template.file} or the settings; then: invoke infra.apply --env {env}"
        return StackNotApplied(
            message, hint=hint, changed=f"{changed}{stack.key} was rolled back", details=details
        )
    following = {
        "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback "
        f"--stack-name {stack.name}{region}",
        "DELETE_FAILED": f"invoke infra.destroy --env {env}",
    }
    delete = f"aws cloudformation delete-stack --stack-name {stack.name}{region}"
    return StackBroken(
        message,
        hint=f"mend what this names, then: {following.get(events.status, delete)}",
        changed=f"{changed}{stack.key} is {events.status}",
        details=details,
    )


def _show(console: Console, stack: Stack, state: ResourceState) -> None:
    text = f"{stack.key}: {state.id} ({state.type}) {state.words}"
    console.event(
        "stack-resource",
        f"✘ {stack.key}: {state.cause}" if state.failed else text,
        stack=stack.key,
        resource=state.id,
        type=state.type,
        status=state.status,
        reason=state.reason,
    )


def _remind(console: Console, stack: Stack, events: StackEvents, seconds: float) -> None:
    names = [f"{state.id} ({state.type})" for state in events.busy]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    console.line(f"{stack.key}: waiting for {', '.join(names[:_SHOWN])}{more}, {in_words(seconds)} so far")
