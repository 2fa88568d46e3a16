"""Time, real or emulated.

On AWS a minute is sixty seconds. On the local stack a minute is a fraction of a second, for the tool
and the emulator alike, so that a 75-minute canary deployment can be rehearsed in seconds. Code that waits
uses the clock; nothing else knows about emulated time.

Limits on real processes (for starting, answering a health check, stopping) are in real seconds, because
processes do not run faster on an emulated clock.
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
        """Seconds of this clock per real second."""
        return REAL_MINUTE / self.minute

    @property
    def emulated(self) -> bool:
        """Whether a minute is not sixty real seconds."""
        return self.minute != REAL_MINUTE

    @property
    def minutes(self) -> str:
        """What people call this clock's minutes."""
        return "emulated min" if self.emulated else "min"

    def timestamp(self) -> float:
        """Return now, in Unix seconds of this clock."""
        wall = self.read()
        return self.origin + (wall - self.origin) * self.rate if self.emulated else wall

    def now(self) -> datetime:
        """Return now, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def real(self, seconds: float) -> float:
        """Return how many real seconds `seconds` of this clock take."""
        return seconds / self.rate

    def words(self, seconds: float) -> str:
        """Return `seconds` of this clock for people: in real time, and an emulated clock's in both."""
        real = in_words(self.real(seconds))
        return f"{real} ({in_words(seconds)} emulated)" if self.emulated else real

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of this clock."""
        self.wait(max(0.0, self.real(seconds)))


_HOUR, _DAY = 3600.0, 86400.0


def in_words(seconds: float) -> str:
    """Return a duration in the unit that suits it."""
    if seconds < 2 * REAL_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 4 * _HOUR:
        return f"{seconds / REAL_MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} days"
