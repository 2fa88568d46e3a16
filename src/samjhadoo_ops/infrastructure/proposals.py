"""What would change in an environment's stacks: a change set for each, made side by side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samjhadoo_ops.aws_errors import AwsCallFailed
from samjhadoo_ops.deployment.lock import this_owner
from samjhadoo_ops.errors import ConfigurationError, PersonNeeded, Refused
from samjhadoo_ops.infrastructure.changes import added_resources, resource_changes
from samjhadoo_ops.infrastructure.cloudformation import UNMADE, ChangeSet, CloudFormation, StackDescription
from samjhadoo_ops.infrastructure.evaluation import Evaluation
from samjhadoo_ops.infrastructure.live import live_values
from samjhadoo_ops.infrastructure.stacks import Stack, Stacks, environment_stacks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.infrastructure.changes import ResourceChange
    from samjhadoo_ops.infrastructure.sources import OutputSource

_AT_ONCE = 8
_REFUSALS = ("InsufficientCapabilitiesException", "LimitExceededException", "ValidationError")
"""CloudFormation's codes for a template or parameters that it does not take."""


class OutputMissing(ConfigurationError):
    """A stack takes an output of another that does not exist yet."""


@dataclass(frozen=True)
class Proposal:
    """What would change in one stack.

    Attributes:
        state: The stack as it is; None if there is none.
        change_set: CloudFormation's own; None if it could not be asked.
        changes: The resources that would change.
        parameters: The parameters, with the live weights.
        missing: Which output of another stack it still lacks; `changes` are the template's then.
        undo: Whether a creation that failed has to be deleted before.
    """

    stack: Stack
    state: StackDescription | None
    change_set: ChangeSet | None = None
    changes: tuple[ResourceChange, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    missing: str = ""
    undo: bool = False

    @property
    def is_new(self) -> bool:
        """Return whether the stack is made, not updated."""
        return self.state is None or self.state.is_new or self.undo

    @property
    def unchanged(self) -> bool:
        """Return whether there is nothing to do."""
        return self.change_set is not None and self.change_set.unchanged

    @property
    def ended_exports(self) -> frozenset[str]:
        """Return the exports that the stack has and will not have any more."""
        if self.state is None or self.unchanged:
            return frozenset()
        return self.state.exports - Evaluation(self.stack.template, self.stack.names).exports

    @property
    def losses(self) -> list[ResourceChange]:
        """Return the data stores that would, or might, be replaced or deleted."""
        return [change for change in self.changes if change.loses_data]

    @property
    def traffic(self) -> list[ResourceChange]:
        """Return the changes of where requests go."""
        return [change for change in self.changes if change.is_traffic]


class InfrastructureContext:
    """The stacks of an environment, and CloudFormation in each of their regions.

    Raises:
        ConfigurationError: A template is missing or wrong, or the environment has no stacks.
    """

    def __init__(self, env: Environment, aws: Aws, clock: Clock, console: Console) -> None:
        self.env = env
        self.aws = aws
        self.clock = clock
        self.console = console
        self.stacks: Stacks = environment_stacks(env)
        self.by = str(
            this_owner(reason="infra", acquired=clock.now().isoformat(timespec="seconds"), lease=0.0)
        )
        self._regions: dict[str, CloudFormation] = {}

    def cloudformation(self, stack: Stack) -> CloudFormation:
        """Return CloudFormation in the region of a stack."""
        if stack.region not in self._regions:
            client = self.aws.client("cloudformation", region=stack.region)
            self._regions[stack.region] = CloudFormation(client, self.clock, by=self.by)
        return self._regions[stack.region]

    def state(self, stack: Stack) -> StackDescription | None:
        """Return a stack as it is; None if there is none."""
        return self.cloudformation(stack).stack(stack.name)

    def states(self) -> list[tuple[Stack, StackDescription | None]]:
        """Return all stacks as they are."""
        stacks = self.stacks.items
        for stack in stacks:
            self.cloudformation(stack)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(zip(stacks, pool.map(self.state, stacks), strict=True))

    def propose(self, only: Iterable[Stack] | None = None) -> list[Proposal]:
        """Return what would change, in the order of the stacks.

        Raises:
            Refused: A stack is being changed, or CloudFormation refuses the template or its parameters.
            PersonNeeded: A stack has to be mended first.
            AwsCallFailed: AWS refused a call or could not be reached.
        """
        stacks = list(self.stacks.items if only is None else only)
        for stack in stacks:
            self.cloudformation(stack)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            made = [pool.submit(self.proposal, stack) for stack in stacks]
        failed = next((each.exception() for each in made if each.exception()), None)
        if failed is not None:
            self.discard([each.result() for each in made if not each.exception()])
            raise failed
        return [each.result() for each in made]

    def proposal(self, stack: Stack) -> Proposal:
        """Return what would change in one stack; see `propose`."""
        state = self.state(stack)
        self._require_usable(stack, state)
        undo = state is not None and state.status in UNMADE
        try:
            parameters = self.parameters(stack)
        except OutputMissing as error:
            return Proposal(stack, state, None, self._template(stack), missing=error.message, undo=undo)
        if undo:
            return Proposal(stack, state, None, self._template(stack), parameters, undo=True)
        made = self._without_weights(stack, state, parameters) or self._change_set(
            stack, parameters, new=state is None or state.is_new
        )
        return Proposal(stack, state, made, resource_changes(made.changes), parameters)

    def _without_weights(
        self, stack: Stack, state: StackDescription | None, parameters: dict[str, str]
    ) -> ChangeSet | None:
        """Return a change set that leaves the listener rules alone; None if something else changes them.

        After a deployment, the live weights differ from those with which the stack was updated last. With the
        latter, CloudFormation does not touch the rules, and the traffic stays where ECS has sent it.
        """
        before = state.parameters if state is not None and not state.is_new else {}
        kept = {name: before[name] for name in stack.weights if name in before}
        if all(parameters[name] == value for name, value in kept.items()):
            return None
        made = self._change_set(stack, {**parameters, **kept}, new=False)
        if not any(change.is_traffic for change in resource_changes(made.changes)):
            return made
        self.cloudformation(stack).delete_change_set(made.id)
        return None

    def _change_set(self, stack: Stack, parameters: dict[str, str], *, new: bool) -> ChangeSet:
        cloudformation = self.cloudformation(stack)
        try:
            made = cloudformation.create_change_set(
                stack.name, template=stack.template.body, parameters=parameters, new=new
            )
        except AwsCallFailed as error:
            if error.code not in _REFUSALS:
                raise
            raise _refusal(stack, error.message) from error
        if made.failure:
            cloudformation.discard(stack.name, made.id)
            raise _refusal(stack, "; ".join(made.mistakes) or made.failure)
        return made

    def parameters(self, stack: Stack) -> dict[str, str]:
        """Return the parameters of a stack; raise `OutputMissing` if another stack has to be made before."""
        live = live_values(self.aws, stack.env) if stack.is_live else {}
        return stack.parameters(live=live, output=self._output)

    def discard(self, proposals: Sequence[Proposal]) -> None:
        """Delete the change sets, and the stacks that exist only for them."""
        made = [proposal for proposal in proposals if proposal.change_set is not None]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._discard, made))

    def _discard(self, proposal: Proposal) -> None:
        cloudformation, change_set = self.cloudformation(proposal.stack), proposal.change_set
        if change_set is None:
            return
        if proposal.is_new:
            cloudformation.discard(proposal.stack.name, change_set.id)
        else:
            cloudformation.delete_change_set(change_set.id)

    def _output(self, stack: Stack, wanted: OutputSource) -> str:
        source = self.stacks.source(stack, wanted)
        state = self.state(source)
        if state is None or wanted.output not in state.outputs:
            raise OutputMissing(f"{source.key}.{wanted.output}")
        return state.outputs[wanted.output]

    def _template(self, stack: Stack) -> tuple[ResourceChange, ...]:
        evaluation = Evaluation(stack.template, stack.names)
        resources = stack.template.resources.items()
        return added_resources({name: each for name, each in resources if evaluation.exists(each)})

    def _require_usable(self, stack: Stack, state: StackDescription | None) -> None:
        """Raise if nothing can be proposed for a stack in its state."""
        if state is None:
            return
        region = f" --region {stack.region}" if stack.region != self.env.aws.region else ""
        if state.in_progress:
            by = self.cloudformation(stack).worker(state)
            raise Refused(
                f"{stack.key} is being changed ({state.status}){f' by {by}' if by else ''}",
                hint=f"wait for it, and watch it: invoke infra.apply --env {self.env.name}",
            )
        if state.status == "UPDATE_ROLLBACK_FAILED":
            raise PersonNeeded(
                f"{stack.key} could not be rolled back: {state.reason or state.status}",
                hint=f"mend what its events name, then: aws cloudformation continue-update-rollback "
                f"--stack-name {stack.name}{region}",
            )
        if state.status in UNMADE - {"ROLLBACK_COMPLETE"}:
            raise PersonNeeded(
                f"{stack.key} is {state.status}: {state.reason or 'CloudFormation gives no reason'}",
                hint=f"delete what is left of it: aws cloudformation delete-stack --stack-name "
                f"{stack.name}{region}",
            )


def _refusal(stack: Stack, why: str) -> Refused:
    return Refused(
        f"{stack.key}: CloudFormation refuses the change: {why}",
        hint=f"correct {stack.template.file}, or the settings that it takes",
    )
