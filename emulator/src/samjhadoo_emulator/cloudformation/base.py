"""What the parts of the service share: the region's stacks, and what works on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.arns import partition
from samjhadoo_emulator.cloudformation.calls import ResourceApi
from samjhadoo_emulator.cloudformation.changes.early_validation import EarlyValidation
from samjhadoo_emulator.cloudformation.definitions import Definitions
from samjhadoo_emulator.cloudformation.engine import StackEngine
from samjhadoo_emulator.cloudformation.evaluation import Contexts
from samjhadoo_emulator.cloudformation.events import StackEvents
from samjhadoo_emulator.cloudformation.exports import Exports
from samjhadoo_emulator.cloudformation.model import STACK
from samjhadoo_emulator.cloudformation.nested import NestedStack
from samjhadoo_emulator.cloudformation.provisioning import Provider
from samjhadoo_emulator.cloudformation.resources.registry import resource_type
from samjhadoo_emulator.cloudformation.scheduling import Cancellation
from samjhadoo_emulator.cloudformation.stacks import Stacks
from samjhadoo_emulator.service import LiveService

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine

    from samjhadoo_emulator.cloudformation.resources.resource_type import ResourceType
    from samjhadoo_emulator.service import AwsApi, Host


class CloudFormationBase(LiveService):
    """A region's stacks.

    Attributes:
        stacks: By name and ARN.
        exports: What they export.
        contexts: Makes what templates are evaluated with.
        definitions: Makes definitions of stacks from requests.
        provider: Makes requests for resource types.
        events: Records what happens.
        validation: Finds mistakes before anything is made.
        engine: Runs operations.
    """

    name: ClassVar[str] = "cloudformation"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.stacks = Stacks(self.home(), self.clock)
        self.exports = Exports(self.stacks)
        patient = ResourceApi(aws, self.clock, Cancellation())
        self.contexts = Contexts(patient, region, self.account, self.exports)
        self.definitions = Definitions(patient, self.contexts, self.resource_type)
        self.provider = Provider(aws, self.clock, region, self.account, partition(region), self.resource_type)
        self.events = StackEvents(self.clock, patient, self._run)
        self.validation = EarlyValidation(self.provider, self.events)
        self.engine = StackEngine(
            stacks=self.stacks,
            provider=self.provider,
            contexts=self.contexts,
            exports=self.exports,
            events=self.events,
            validation=self.validation,
            spawn=self._run,
        )
        self._nested = NestedStack(self.stacks, self.definitions, self.contexts, self.events, self.engine)

    def resource_type(self, name: str) -> ResourceType | None:
        """Return the resource type of a name; None if the emulator cannot make such resources."""
        return self._nested if name == STACK else resource_type(name)

    def _run(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self.spawn(work, name=name)
