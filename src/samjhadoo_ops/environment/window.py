from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAY_MINUTES = 24 * 60
_SHAPE = re.compile(
    r"(?P<days>[A-Za-z,\-]+) +(?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d) +(?P<zone>[A-Za-z0-9_+\-/]+)", re.ASCII
)
_EXAMPLE = 'expected a window such as "Mon-Thu 22:00-24:00 Asia/Kolkata"'


@dataclass(frozen=True)
class Window:
    """A weekly time window in a time zone, from `start` up to, but not including, `end`.

    An end before the start means the next day; the days are those on which the window opens.

    Args:
        days: Weekdays; Monday is 0.
        start: Minutes after midnight, local time.
        end: Minutes after midnight, up to 1440.
        zone: IANA name of the time zone.
    """

    days: frozenset[int]
    start: int
    end: int
    zone: str

    @classmethod
    def parse(cls, text: str) -> Window:
        """Parse `Mon-Thu 22:00-24:00 Asia/Kolkata`; days may be a list, and ranges may wrap (`Fri-Mon`).

        Raises:
            ValueError: The text is not a valid window, or its time zone is unknown.
        """
        match = _SHAPE.fullmatch(text)
        if match is None:
            raise ValueError(_EXAMPLE)
        start, end = _minutes(match["start"]), _minutes(match["end"])
        if start in (end, _DAY_MINUTES):
            raise ValueError("the window is empty: start and end are the same")
        try:
            ZoneInfo(match["zone"])
        except (LookupError, ValueError, OSError):  # a folder of the time zone database raises OSError
            raise ValueError(f"unknown time zone {match['zone']!r}; expected an IANA name") from None
        return cls(days=_days(match["days"]), start=start, end=end, zone=match["zone"])

    @cached_property
    def timezone(self) -> ZoneInfo:
        """The window's time zone."""
        return ZoneInfo(self.zone)

    def contains(self, moment: datetime) -> bool:
        """Return whether the window is open at `moment`, in any time zone; raise `ValueError` without one."""
        if moment.tzinfo is None:
            raise ValueError("the time needs a time zone")
        local = moment.astimezone(self.timezone)
        minute = local.hour * 60 + local.minute
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= minute < self.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and minute >= self.start) or (
            yesterday in self.days and minute < self.end
        )

    def next_opening(self, moment: datetime) -> datetime:
        """Return `moment` if the window is open, otherwise its next opening, in the window's time zone."""
        local = moment.astimezone(self.timezone)
        if self.contains(moment):
            return local
        for ahead in range(9):
            day = local.date() + timedelta(days=ahead)
            opening = datetime(
                day.year, day.month, day.day, self.start // 60, self.start % 60, tzinfo=self.timezone
            )
            if day.weekday() in self.days and opening.timestamp() >= moment.timestamp():
                return opening
        raise AssertionError("a window opens at least once a week")

    def in_utc(self) -> str:
        """Return the first day's window in UTC, as AWS takes maintenance windows: `sat:20:30-sat:22:30`.

        Where clocks change, the window is that of the winter (in the north): AWS's do not follow.
        """
        monday = datetime(2026, 1, 5, tzinfo=self.timezone)
        length = (self.end - self.start) % _DAY_MINUTES or _DAY_MINUTES
        opening = monday + timedelta(days=min(self.days), minutes=self.start)
        ends = (opening, opening + timedelta(minutes=length))
        found = (moment.astimezone(UTC) for moment in ends)
        return "-".join(f"{DAYS[moment.weekday()].lower()}:{moment:%H:%M}" for moment in found)

    def __str__(self) -> str:
        return f"{_day_text(self.days)} {_clock_text(self.start)}-{_clock_text(self.end)} {self.zone}"


def _minutes(text: str) -> int:
    hour, minute = int(text[:2]), int(text[3:])
    total = hour * 60 + minute
    if minute > 59 or total > _DAY_MINUTES:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(f"{text} is not a time of day (00:00 to 24:00)")
    return total


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        names = part.split("-")
        unknown = [name for name in names if name.title() not in DAYS]
        if unknown or len(names) > 2:  # noqa: PLR2004 - from and to
            raise ValueError(f"{part!r} is not a day or a range of days ({', '.join(DAYS)})")
        first, last = DAYS.index(names[0].title()), DAYS.index(names[-1].title())
        found.update((first + ahead) % 7 for ahead in range((last - first) % 7 + 1))
    return frozenset(found)


def _day_text(days: frozenset[int]) -> str:
    """Return the days with consecutive ones joined: `Mon-Thu,Sat`."""
    runs: list[list[int]] = []
    for day in sorted(days):
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return ",".join(DAYS[run[0]] if len(run) == 1 else f"{DAYS[run[0]]}-{DAYS[run[-1]]}" for run in runs)


def _clock_text(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
