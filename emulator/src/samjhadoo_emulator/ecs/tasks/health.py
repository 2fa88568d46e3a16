"""Container health checks.

The interval runs on the emulated clock, but checks are processes, and so never run more often than once a
second (four times a second until the first success). A check's time-out, the start period and the time in
which failures add up are real seconds: until an application has answered once, failures count one a second
at most. No check has less than ECS's default time-out: on a busy machine it takes seconds to begin a process
in a container, and a check that failed for it would stop a task that is well.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime import CannotStartError

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.ecs.runtime import Container

INTERVAL, TIMEOUT, RETRIES = 30, 5, 3
FLOOR, STARTING_FLOOR = 1.0, 0.25
log = logging.getLogger(__name__)


def command_line(command: list[str]) -> list[str]:
    """Return the command line of a health check's command; empty if it disables the check."""
    kind, *words = command or ["NONE"]
    if kind == "NONE":
        return []
    if kind == "CMD-SHELL":
        return ["/bin/sh", "-c", " ".join(words)]
    return words if kind == "CMD" else [kind, *words]


async def watch(
    container: Container, check: dict[str, Any], *, clock: Clock, report: Callable[[str], None]
) -> None:
    """Check a container for as long as it is not cancelled; report HEALTHY and UNHEALTHY as they change.

    Args:
        container: A started container.
        check: The container definition's `healthCheck`.
        clock: Whose seconds the interval is in.
        report: Called with each change.

    """
    command = command_line(check["command"])
    if not command:
        return
    loop = asyncio.get_running_loop()
    interval = clock.real(float(check.get("interval") or INTERVAL))
    counts_from = loop.time() + float(check.get("startPeriod") or 0)
    within = max(float(check.get("timeout") or TIMEOUT), TIMEOUT)
    retries = int(check.get("retries") or RETRIES)
    status, failures = "", 0
    while True:
        await asyncio.sleep(max(interval, FLOOR if status else STARTING_FLOOR))
        try:
            code = await container.execute(command, within)
            found = f"exit code {code}" if code is not None else f"no end within {within:g} s"
        except CannotStartError as error:
            code, found = None, str(error)
        passed = code == 0
        now = loop.time()
        if passed:
            failures, counts_from = 0, now  # a container that has answered once has started
        elif now >= counts_from:
            failures += 1
            counts_from = now + (0.0 if status else FLOOR)
        verdict = "HEALTHY" if passed else "UNHEALTHY" if failures >= retries else status
        if verdict != status:
            status = verdict
            log.info("container %s is %s: its check: %s", container.runtime_id, status, found)
            report(status)
