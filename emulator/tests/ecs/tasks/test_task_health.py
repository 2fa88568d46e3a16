from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, cast

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.ecs.tasks import container_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from samjhadoo_emulator.ecs.runtime import Container


class Slow:
    """A container whose commands take so many seconds, none of them real."""

    runtime_id = "slow-1"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def execute(self, command: Sequence[str], within: float) -> int | None:
        del command
        return 0 if self.seconds <= within else None


def seen(seconds: float, **check: int) -> str:
    """Return the first that a health check tells of a container whose commands take so long."""

    async def first() -> str:
        told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        container = cast("Container", Slow(seconds))
        definition = {"command": ["CMD", "true"], **check}
        watching = asyncio.ensure_future(
            container_run.watch_health(
                container, definition, clock=Clock(minute=0.001), report=told.set_result
            )
        )
        try:
            return await told
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    return asyncio.run(first())


def test_a_check_that_is_slow_on_a_busy_machine_passes() -> None:
    assert seen(4, timeout=2, interval=5) == "HEALTHY"


def test_a_check_may_take_as_long_as_its_definition_allows() -> None:
    assert seen(50, timeout=60) == "HEALTHY"


def test_the_log_shows_why_a_check_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert seen(6, timeout=2, retries=1) == "UNHEALTHY"
    assert "container slow-1 is UNHEALTHY: its check: did not end within 5 s" in caplog.text
