"""What a live service is: a set of operations, one instance per region, that keeps its state in memory.

All live services run on one event loop. An operation changes state between two awaits only, so that no
client ever sees half of a change; long work is done in tasks of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from samjhadoo_emulator.arns import Home
from samjhadoo_emulator.faults.table import FaultTable, JumpingTime
from samjhadoo_emulator.guard.keys import Keys

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_emulator.clock import Clock

Params = dict[str, Any]
Result = dict[str, Any] | None
Operation = Callable[[Params], Awaitable[Result]]
_MARK = "_aws_operation"


def operation(name: str) -> Callable[[Callable[..., Awaitable[Result]]], Callable[..., Awaitable[Result]]]:
    """Mark a method as the implementation of the AWS operation `name`."""

    def mark(function: Callable[..., Awaitable[Result]]) -> Callable[..., Awaitable[Result]]:
        setattr(function, _MARK, name)
        return function

    return mark


class AwsApi(Protocol):
    """How a live service reaches any AWS service, its neighbours included: by the AWS API."""

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation."""


@dataclass
class Host:
    """What the emulator gives every live service.

    Attributes:
        account: The account id of the local AWS.
        data_dir: A folder of the emulator's own, removed with the stack.
        edge_url: Where the edge listens, for clients of the AWS API and the registry.
        environment: Added to every task's environment; marks a stack's processes.
        options: Settings of single services, by name.
        variants: Readings of AWS's documentation that were chosen (`variants.VARIANTS`).
        passed_on: Operations that were passed to the upstream so far.
        faults: What is made to go wrong.
        jumps: What the clock reads: the wall clock and the jumps that faults made it do.
        keys: The keys that clients may send.
    """

    account: str
    clock: Clock
    data_dir: Path
    edge_url: str
    environment: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    variants: frozenset[str] = frozenset()
    passed_on: set[str] = field(default_factory=set)
    faults: FaultTable = field(default_factory=FaultTable)
    jumps: JumpingTime = field(default_factory=JumpingTime)
    keys: Keys = field(default_factory=Keys)


class LiveService:
    """A service that works live in one region. Subclasses mark their operations with `@operation`.

    Attributes:
        name: botocore's name of the service (`ecs`, `elbv2`, `ecr`).
    """

    name: ClassVar[str]

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        self.host = host
        self.region = region
        self.aws = aws
        self._background: set[asyncio.Task[None]] = set()

    @property
    def account(self) -> str:
        return self.host.account

    def home(self, service: str = "") -> Home:
        """Return what ARNs of this region begin with, of this service or of one that is named."""
        return Home(service or self.name, self.region, self.account)

    @property
    def clock(self) -> Clock:
        return self.host.clock

    @classmethod
    def operations(cls) -> dict[str, str]:
        """Return the method name of each operation that is served live; others go upstream."""
        return {
            name: attribute
            for attribute in dir(cls)
            if (name := getattr(getattr(cls, attribute, None), _MARK, None)) is not None
        }

    def spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run work in the background until it ends or the emulator stops."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def start(self) -> None:
        """Prepare; called once before the first operation."""

    def dump(self) -> dict[str, Any]:
        """Return a summary of the state, for the control endpoint."""
        return {}

    def clock_jumped(self) -> None:
        """Check again what waits for a time: a fault made the clock jump."""

    async def stop(self) -> None:
        """End everything this service started."""
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
