"""Time, real or emulated.

On AWS a minute is sixty seconds. On the local stack a minute is a fraction of a second, for the tool
and the emulator alike, so that a 75-minute canary deployment can be rehearsed in seconds. Code that waits
asks the clock; nothing else knows.

What bounds the work of a real process (how long it may take to start, to answer a health check, to
stop) is measured in real seconds, because processes do not run faster on an emulated clock.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REAL_MINUTE = 60.0


@dataclass(frozen=True)
class Clock:
    """A clock on which a minute takes `minute` real seconds.

    Args:
        minute: Real seconds in a minute of this clock; 60 is real time.
        origin: Unix time at which this clock and the wall clock agree. Processes that share an
            origin and a minute (the emulator and the tool) read the same time.
        read: The wall clock, in Unix seconds.
        wait: Sleeps for real seconds.
    """

    minute: float = REAL_MINUTE
    origin: float = 0.0
    read: Callable[[], float] = field(default=time.time, repr=False)
    wait: Callable[[float], None] = field(default=time.sleep, repr=False)

    @property
    def rate(self) -> float:
        """Seconds of this clock in a real second."""
        return REAL_MINUTE / self.minute

    def timestamp(self) -> float:
        """Return now, in Unix seconds of this clock."""
        wall = self.read()
        return wall if self.minute == REAL_MINUTE else self.origin + (wall - self.origin) * self.rate

    def now(self) -> datetime:
        """Return now, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def real(self, seconds: float) -> float:
        """Return how many real seconds `seconds` of this clock take."""
        return seconds / self.rate

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of this clock."""
        self.wait(max(0.0, self.real(seconds)))
