"""Making and updating an environment's stacks: what was shown is what is done, change set by change set."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import PersonNeeded
from samjhadoo_ops.infrastructure.locking import hold_services, infrastructure_lock, require_quiet
from samjhadoo_ops.infrastructure.plan import show
from samjhadoo_ops.infrastructure.protection import permit, protect, require_named
from samjhadoo_ops.infrastructure.watch import failure, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samjhadoo_ops.infrastructure.proposals import InfrastructureContext, Proposal
    from samjhadoo_ops.infrastructure.stacks import Stack


@dataclass
class Applied:
    """What an apply has done: the stacks that it made, and those that it changed."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Return all stacks that were applied."""
        return [*self.made, *self.changed]

    @property
    def before(self) -> str:
        """Return the beginning of a sentence about what was changed before something failed."""
        return f"applied {', '.join(self.names)}; " if self.names else ""

    def __str__(self) -> str:
        parts = [f"made {', '.join(self.made)}"] if self.made else []
        parts += [f"updated {', '.join(self.changed)}"] if self.changed else []
        return "; ".join(parts) or "nothing to do: every stack is as its template says"


def apply(
    infrastructure: InfrastructureContext,
    *,
    confirm: Callable[[Callable[[], None]], None],
    replace: Sequence[str] = (),
    lock_wait: float = 0.0,
) -> Applied:
    """Make or update every stack, in order.

    A stack that is being changed, by a run that was killed or by somebody else, is watched to its end first.

    Args:
        confirm: Asks for confirmation, and shows the changes with the function it gets; raises if refused.
        replace: Data stores that may be replaced or deleted.
        lock_wait: How long to wait for another run, in seconds on the clock.

    Raises:
        Refused: Another run works, data would be lost, a deployment runs whose traffic would be touched, or
            CloudFormation refuses a change.
        StackNotApplied: A stack failed and was rolled back; those before it stay.
        StackBroken: A stack failed and could not be rolled back.
    """
    with infrastructure_lock(infrastructure, reason="infra.apply", lock_wait=lock_wait) as ensure:
        settle(infrastructure)
        run = ApplyRun(infrastructure, replace, ensure, infrastructure.propose())
        try:
            run.require_safe(run.pending)
            if all(proposal.unchanged for proposal in run.pending):
                return run.applied
            confirm(lambda: show(infrastructure, run.pending))
            return run.execute_all()
        finally:
            infrastructure.discard(run.pending)


def next_of(pending: Sequence[Proposal]) -> int:
    """Return which proposal comes next: one that ends no export which a later one has to let go."""
    for number, proposal in enumerate(pending):
        ended = proposal.ended_exports
        later = (each for each in pending[number + 1 :] if not each.unchanged)
        if not ended or not any(ended & each.stack.template.imports(each.stack.names) for each in later):
            return number
    return 0


def settle(infrastructure: InfrastructureContext) -> None:
    """Watch the stacks that are being changed until that has ended."""
    for stack, state in infrastructure.states():
        if state is None or not state.in_progress:
            continue
        cloudformation = infrastructure.cloudformation(stack)
        by = cloudformation.worker(state)
        infrastructure.console.line(
            f"{stack.key} is being changed ({state.status}){f' by {by}' if by else ''}: waiting for its end"
        )
        after = cloudformation.last_ending(state.id)
        events = watch(cloudformation, stack, state.id, after=after, console=infrastructure.console)
        if not events.succeeded:
            infrastructure.console.line(f"✘ {stack.key}: {events.cause}")


@dataclass
class ApplyRun:
    """An apply under way.

    Attributes:
        ensure: Raises if the lock was lost.
        pending: What is still to be done, in order; what was begun is removed.
    """

    infrastructure: InfrastructureContext
    replace: Sequence[str]
    ensure: Callable[[], None]
    pending: list[Proposal]
    applied: Applied = field(default_factory=Applied)

    def require_safe(self, proposals: Sequence[Proposal]) -> None:
        """Raise if proposals lose data that nobody named, or touch traffic that is being moved."""
        require_named(proposals, self.replace, env=self.infrastructure.env.name)
        require_quiet(self.infrastructure, proposals)

    def execute_all(self) -> Applied:
        """Do what is pending, in order."""
        while self.pending:
            self.pending.insert(0, self.pending.pop(next_of(self.pending)))
            proposal = self._renewed()
            if proposal.unchanged:
                self.infrastructure.discard([self.pending.pop(0)])
                continue
            self._execute(proposal)
        return self.applied

    def _renewed(self) -> Proposal:
        """Return the next proposal: the one that was shown, unless what it takes has changed meanwhile."""
        proposal, stack = self.pending[0], self.pending[0].stack
        if proposal.undo:
            self._undo(proposal)
        elif not proposal.missing:
            taken = stack.is_live or (stack.outputs and self.applied.names)
            if not taken or self.infrastructure.parameters(stack) == proposal.parameters:
                return proposal
            self.infrastructure.discard([proposal])
        self.pending[0] = renewed = self.infrastructure.proposal(stack)
        if renewed.missing:
            raise PersonNeeded(
                f"{stack.key} needs {renewed.missing}, which does not exist",
                hint=f"invoke infra.status --env {self.infrastructure.env.name}",
                changed=self.applied.before,
            )
        show(self.infrastructure, [renewed])
        self.require_safe([renewed])
        return renewed

    def _undo(self, proposal: Proposal) -> None:
        """Delete what is left of a creation that failed."""
        stack, state = proposal.stack, proposal.state
        assert state is not None  # noqa: S101 - it failed
        self.ensure()
        cloudformation = self.infrastructure.cloudformation(stack)
        after = cloudformation.newest_event(state.id)
        cloudformation.delete(stack.name)
        self._end(stack, state.id, after)

    def _execute(self, proposal: Proposal) -> None:
        stack, change_set = proposal.stack, proposal.change_set
        assert change_set is not None  # noqa: S101 - it was renewed
        cloudformation = self.infrastructure.cloudformation(stack)
        with ExitStack() as held:
            if proposal.traffic:
                hold_services(self.infrastructure, stack, held)
                require_quiet(self.infrastructure, [proposal])
            self.ensure()
            permit(self.infrastructure, proposal)
            after = cloudformation.newest_event(stack.name)
            verb = "making" if proposal.is_new else "updating"
            self.infrastructure.console.event("stack-began", f"{verb} {stack.key}", stack=stack.key)
            cloudformation.execute(change_set.id)
            del self.pending[0]
            self._end(stack, change_set.stack, after)
        protect(self.infrastructure, stack)
        (self.applied.made if proposal.is_new else self.applied.changed).append(stack.key)

    def _end(self, stack: Stack, arn: str, after: str) -> None:
        """Watch an operation to its end; raise if it failed."""
        console = self.infrastructure.console
        events = watch(self.infrastructure.cloudformation(stack), stack, arn, after=after, console=console)
        console.state("stack-ended", stack=stack.key, status=events.status)
        if not events.succeeded:
            raise failure(stack, events, changed=self.applied.before)
