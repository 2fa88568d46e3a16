"""Cron expressions of AWS: six fields, minutes to years, with `?`, `L`, `W` and `#`. No I/O.

Source: EventBridge user guide, "Cron expressions reference". Cron libraries of Python speak Unix's dialect,
which has no years, no `W`, and counts Sunday as 0.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), 1)}
_PART = re.compile(r"(?P<first>\*|\w+)(?:-(?P<last>\w+))?(?:/(?P<every>\d+))?")
_NEAREST = re.compile(r"(?P<day>\d{1,2})W")
_LAST_BUT = re.compile(r"L-(?P<days>\d{1,2})")
_LAST_OF = re.compile(r"(?P<day>\w{1,3})L")
_NTH = re.compile(r"(?P<day>\w{1,3})#(?P<nth>[1-5])")
FIELDS = 6
WEEK = 7
FIRST_YEAR, LAST_YEAR = 1970, 2199


class CronError(ValueError):
    """The text is not a valid cron expression."""


@dataclass(frozen=True)
class Cron:
    """An expression; days are kept as text, because they depend on the month."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: str
    months: tuple[int, ...]
    weekdays: str
    years: tuple[int, ...]

    def next_after(self, moment: datetime) -> datetime | None:
        """Return the first local time after another; None if there is none."""
        first = moment.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._days_from(first.date()):
            for hour in self.hours:
                for minute in self.minutes:
                    found = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001 - local time
                    if found >= first:
                        return found
        return None

    def _days_from(self, first: date) -> Iterator[date]:
        for year in self.years:
            for month in self.months:
                if (year, month) >= (first.year, first.month):
                    for day in sorted(self._days_of(year, month)):
                        found = date(year, month, day)
                        if found >= first:
                            yield found

    def _days_of(self, year: int, month: int) -> set[int]:
        if self.weekdays == "?":
            return _by_day(self.days, year, month)
        return _by_weekday(self.weekdays, year, month)


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """Return what stands between the brackets of `cron(...)`.

    Raises:
        CronError: The text is not a valid cron expression.

    """
    fields = text.upper().split()
    if len(fields) != FIELDS:
        raise CronError("a cron expression has six fields")
    minutes, hours, days, months, weekdays, years = fields
    if (days == "?") == (weekdays == "?"):
        raise CronError("exactly one of day of month and day of week is ?")
    cron = Cron(
        _values(minutes, 0, 59),
        _values(hours, 0, 23),
        days,
        _values(months, 1, 12, _MONTHS),
        weekdays,
        _values(years, FIRST_YEAR, LAST_YEAR),
    )
    cron._days_of(2024, 1)  # refuses invalid days  # noqa: SLF001
    return cron


def _by_day(text: str, year: int, month: int) -> set[int]:
    last = calendar.monthrange(year, month)[1]
    if text == "L":
        return {last}
    if text == "LW":
        return {_workday(year, month, last)}
    if match := _LAST_BUT.fullmatch(text):
        return {last - int(match["days"])} if int(match["days"]) < last else set()
    if match := _NEAREST.fullmatch(text):
        day = int(match["day"])
        if not 1 <= day <= 31:  # noqa: PLR2004
            raise CronError(f"no day of a month: {text}")
        return {_workday(year, month, day)} if day <= last else set()
    return {day for day in _values(text, 1, 31) if day <= last}


def _workday(year: int, month: int, day: int) -> int:
    """Return the working day of the same month that is nearest to a day."""
    last = calendar.monthrange(year, month)[1]
    match calendar.weekday(year, month, day):
        case calendar.SATURDAY:
            return day - 1 if day > 1 else day + 2
        case calendar.SUNDAY:
            return day + 1 if day < last else day - 2
    return day


def _by_weekday(text: str, year: int, month: int) -> set[int]:
    last = calendar.monthrange(year, month)[1]
    if match := _NTH.fullmatch(text):
        found = [day for day in range(1, last + 1) if _weekday(year, month, day) == _named(match["day"])]
        nth = int(match["nth"])
        return {found[nth - 1]} if nth <= len(found) else set()
    if text != "L" and (match := _LAST_OF.fullmatch(text)):
        wanted = {_named(match["day"])}
        return {day for day in range(last - WEEK + 1, last + 1) if _weekday(year, month, day) in wanted}
    days = {WEEK} if text == "L" else set(_values(text, 1, WEEK, _DAYS))
    return {day for day in range(1, last + 1) if _weekday(year, month, day) in days}


def _weekday(year: int, month: int, day: int) -> int:
    """Return the day of the week, Sunday being 1."""
    return (calendar.weekday(year, month, day) + 1) % WEEK + 1


def _named(text: str) -> int:
    return _values(text, 1, WEEK, _DAYS)[0]


def _values(text: str, low: int, high: int, names: dict[str, int] | None = None) -> tuple[int, ...]:
    """Return the numbers that a field names, in order."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if not match:
            raise CronError(f"unexpected {part!r}")
        every = int(match["every"] or 1)
        first = low if match["first"] == "*" else _number(match["first"], names)
        if match["last"]:
            last = _number(match["last"], names)
        else:
            last = high if match["first"] == "*" or match["every"] else first
        if not low <= first <= high or not low <= last <= high or every < 1:
            raise CronError(f"{part!r} is not between {low} and {high}")
        wraps = names is _DAYS and last < first
        found.update(range(first, high + 1, every) if wraps else range(first, last + 1, every))
        if wraps:
            found.update(range(low, last + 1, every))
    if not found:
        raise CronError(f"{text!r} names nothing")
    return tuple(sorted(found))


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise CronError(f"unexpected {text!r}")
    return int(text)
