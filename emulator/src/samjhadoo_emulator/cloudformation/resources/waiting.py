"""Waiting for a state of a resource, on the emulated clock."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from samjhadoo_emulator.cloudformation.resources.resource_type import Request

Found = TypeVar("Found")
EVERY = 5.0
"""Seconds between two looks at a resource."""
SHORTEST = 0.02
"""Real seconds between them at least, however fast the emulated clock runs."""
LONGEST = 3600.0
"""Seconds that a resource gets to become stable."""


async def wait_until(
    request: Request,
    check: Callable[[], Awaitable[Found | None]],
    *,
    longest: float = LONGEST,
) -> Found:
    """Return what a check gives once that is something.

    Args:
        longest: The most seconds of the emulated clock.

    Raises:
        AwsError: The resource did not become stable in time.
    """
    deadline = request.clock.timestamp() + longest
    while (found := await check()) is None:
        if request.clock.timestamp() > deadline:
            raise AwsError("NotStabilized", "Exceeded attempts to wait")
        await pause(request)
    return found


async def pause(request: Request) -> None:
    """Wait until it is time to look at a resource again."""
    await asyncio.sleep(max(SHORTEST, request.clock.real(EVERY)))
