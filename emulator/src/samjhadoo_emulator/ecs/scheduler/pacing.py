"""When the next task of a revision may be started (AWS: service throttle logic)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_emulator.clock import Clock

FIRST_DELAY, LONGEST_DELAY = 10.0, 27 * 60.0
"""Emulated seconds by which repeated start failures are spaced; 27 minutes is AWS's maximum."""
START_PACE, CRASH_PACE = 0.1, 0.3
"""Real seconds between starts at least: after tasks that did not start, after tasks that ran and ended."""
IMPAIRED = 3
"""Failed starts in a row after which the service has an event about it."""


class Pace:
    """Spaces the starts of each revision, by its number: more and more after tasks that did not reach
    RUNNING, evenly after others, which AWS does not throttle.

    Args:
        clock: The emulated clock.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}

    def failed(self, number: str, *, started: bool) -> bool:
        """Record that a task failed; return whether starts have now become impaired.

        Args:
            number: Its revision's number.
            started: Whether it had reached RUNNING.

        """
        count, delay, least = self._failures.get(number, (0, 0.0))[0], FIRST_DELAY, CRASH_PACE
        if not started:
            count, delay, least = count + 1, min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(count, 10)), START_PACE
        self._failures[number] = (count, time.monotonic() + max(least, self._clock.real(delay)))
        return not started and count == IMPAIRED

    def recovered(self, number: str) -> None:
        """Note that a task of a revision has become healthy."""
        self._failures.pop(number, None)

    def not_before(self, number: str) -> float:
        """Return the real monotonic time before which no task of a revision is started."""
        return self._failures.get(number, (0, 0.0))[1]
