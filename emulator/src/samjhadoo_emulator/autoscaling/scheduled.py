"""Scheduled actions: their schedules (at, rate, cron), and put, describe, delete and run when it is time."""

from __future__ import annotations

import asyncio
import calendar
import contextlib
import logging
import math
import re
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from samjhadoo_emulator.autoscaling.activities import FAILED, SUCCESSFUL
from samjhadoo_emulator.autoscaling.base import exceeded, filtered, no_scheduled_action
from samjhadoo_emulator.autoscaling.model import SCHEDULED_SUSPENDED, ScheduledAction
from samjhadoo_emulator.autoscaling.scaling import Scaling
from samjhadoo_emulator.autoscaling.targets import check_range
from samjhadoo_emulator.errors import AwsError, validation_exception
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.autoscaling.model import ScalableTarget
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

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
def parse_cron(text: str) -> Cron:
    """Return what is between the brackets of `cron(...)`.

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
            raise CronError(f"not a day of the month: {text}")
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
        raise CronError(f"{text!r} selects nothing")
    return tuple(sorted(found))


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise CronError(f"unexpected {text!r}")
    return int(text)


_AT = re.compile(r"at\((?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?)\)")
_RATE = re.compile(r"rate\((?P<value>[1-9]\d{0,8}) (?P<unit>minute|hour|day)s?\)")
_CRON = re.compile(r"cron\((?P<fields>[^()]+)\)")
_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


class ScheduleError(ValueError):
    """The text is not a valid schedule, or the time zone is unknown."""


@dataclass(frozen=True)
class Schedule:
    """When something runs.

    Attributes:
        expression: `at(yyyy-mm-ddThh:mm:ss)`, `rate(value unit)` or `cron(fields)`.
        zone: The IANA name of the time zone of `at` and `cron`.
        since: Unix time from which a rate counts unless there is a start.
        start: Unix time before which it does not run; AWS runs a recurring one at this very time, too.
        end: Unix time after which it does not run.
    """

    expression: str
    zone: str = "UTC"
    since: float = 0.0
    start: float | None = None
    end: float | None = None

    def next_after(self, moment: float) -> float | None:
        """Return the first time after another, both Unix; None if there is none.

        Raises:
            ScheduleError: The expression or the time zone is not valid.
        """
        found = self._recurring(moment)
        start = self.start
        if start is not None and moment < start and not _AT.fullmatch(self.expression):
            found = start
        return None if found is None or (self.end is not None and found > self.end) else found

    def _recurring(self, moment: float) -> float | None:
        try:
            zone = ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ScheduleError(f"unknown time zone {self.zone}") from error
        if match := _AT.fullmatch(self.expression):
            return _once(match["moment"], zone, moment)
        if match := _RATE.fullmatch(self.expression):
            seconds = int(match["value"]) * _SECONDS[match["unit"]]
            since = self.since if self.start is None else self.start
            return since + max(1, math.floor((moment - since) / seconds) + 1) * seconds
        if match := _CRON.fullmatch(self.expression):
            return _next(match["fields"], zone, moment)
        raise ScheduleError(f"not a schedule: {self.expression}")


def _once(text: str, zone: ZoneInfo, moment: float) -> float | None:
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except ValueError as error:
        raise ScheduleError(f"not a time: {text}") from error
    return at if at > moment else None


def _next(fields: str, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next time of a cron expression.

    A local time that is skipped when clocks go forward becomes the same time after that, and one that comes
    twice when they go back is taken the first time.
    """
    try:
        expression = parse_cron(fields)
    except CronError as error:
        raise ScheduleError(str(error)) from error
    local: datetime | None = datetime.fromtimestamp(moment, UTC).astimezone(zone).replace(tzinfo=None)
    while local is not None:
        local = expression.next_after(local)
        if local is not None and (at := local.replace(tzinfo=zone).timestamp()) > moment:
            return at
    return None


log = logging.getLogger(__name__)

MOST_ACTIONS = 200
POLL = 10.0
"""Emulated seconds between two polls of ECS while it works on a change."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 3600.0
"""Real seconds."""
_SETTINGS = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")


class Scheduled(Scaling):
    """The scheduled actions of each target, and the loop that runs what is due."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._woken = asyncio.Event()
        self._driving: asyncio.Task[None] | None = None

    @operation("PutScheduledAction")
    async def put_scheduled_action(self, params: Params) -> Result:
        target, name = self.target(params), params["ScheduledActionName"]
        known = target.scheduled.get(name)
        settings = {
            **(known.settings if known else {}),
            **{member: _aware(params[member]) for member in _SETTINGS if member in params},
        }
        if not settings.get("Schedule"):
            raise validation_exception("Schedule must be specified")
        wanted = settings.get("ScalableTargetAction") or {}
        if "MinCapacity" not in wanted and "MaxCapacity" not in wanted:
            raise validation_exception("MinCapacity or MaxCapacity of ScalableTargetAction must be specified")
        check_range(wanted.get("MinCapacity", 0), wanted.get("MaxCapacity", wanted.get("MinCapacity", 0)))
        if known is None and len(target.scheduled) >= MOST_ACTIONS:
            raise exceeded(f"A scalable target can have at most {MOST_ACTIONS} scheduled actions.")
        arn = self.arn_of(
            "scheduledAction", str(uuid.uuid4()), target.resource, f"scheduledActionName/{name}"
        )
        created_at = known.created_at if known else self.clock.now()
        action = ScheduledAction(name, known.arn if known else arn, settings, created_at)
        action.next_run = self._next_run(action)
        target.scheduled[name] = action
        self.wake()
        return {}

    @operation("DescribeScheduledActions")
    async def describe_scheduled_actions(self, params: Params) -> Result:
        resource, names = filtered(params), params.get("ScheduledActionNames") or []
        found = [
            _view(target, action)
            for each, target in sorted(self.targets.items())
            if not resource or each == resource
            for _, action in sorted(target.scheduled.items())
            if not names or action.name in names
        ]
        return AUTOSCALING.answer("ScheduledActions", found, params)

    @operation("DeleteScheduledAction")
    async def delete_scheduled_action(self, params: Params) -> Result:
        target, name = self.target(params), params["ScheduledActionName"]
        if target.scheduled.pop(name, None) is None:
            raise no_scheduled_action(target.resource, name)
        return {}

    def wake(self) -> None:
        """Check what waits for its time, now and as long as anything does."""
        self._woken.set()
        if self._driving is None or self._driving.done():
            self._driving = self.spawn(self._drive(), name=f"autoscaling-{self.region}")

    def clock_jumped(self) -> None:
        self._woken.set()

    async def _drive(self) -> None:
        while (pause := self._pause()) is not None:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(SHORTEST_PAUSE, pause)):
                    await self._woken.wait()
            try:
                await self._run_due()
                await self.catch_up()
            except Exception:
                log.exception("the scaling of %s was not checked", self.region)

    def _pause(self) -> float | None:
        """Return the real seconds until something is due; None when nothing is."""
        due = [
            action.next_run
            for target in self.targets.values()
            for action in target.scheduled.values()
            if action.next_run is not None
        ]
        pauses = [self.clock.real(min(due) - self.clock.timestamp())] if due else []
        if self.unfinished:
            pauses.append(self.clock.real(POLL))
        return min(*pauses, LONGEST_PAUSE) if pauses else None

    async def _run_due(self) -> None:
        now = self.clock.timestamp()
        for target in list(self.targets.values()):
            for action in list(target.scheduled.values()):
                if action.next_run is not None and action.next_run <= now:
                    action.next_run = self._next_run(action)
                    if not target.suspended[SCHEDULED_SUSPENDED]:
                        async with self.turns[target.resource]:
                            await self._run(target, action)

    async def _run(self, target: ScalableTarget, action: ScheduledAction) -> None:
        """Set a target's minimum and maximum, and bring its desired count between them."""
        wanted = action.settings["ScalableTargetAction"]
        text = " and ".join(
            f"{name} capacity to {wanted[member]}"
            for member, name in (("MinCapacity", "min"), ("MaxCapacity", "max"))
            if member in wanted
        )
        activity = self.begun(
            target.resource, f"Setting {text}", f"scheduled action name {action.name} was triggered"
        )
        minimum = wanted.get("MinCapacity", target.minimum)
        maximum = wanted.get("MaxCapacity", target.maximum)
        try:
            check_range(minimum, maximum)
        except AwsError as error:
            self.ended(activity, FAILED, f"Failed to set {text}. Reason: {error.message}")
            return
        target.minimum, target.maximum = minimum, maximum
        self.ended(activity, SUCCESSFUL, f"Successfully set {text}")
        await self.come_into_range(target)

    def _next_run(self, action: ScheduledAction) -> float | None:
        """Return when an action runs next."""
        settings = action.settings
        schedule = Schedule(
            settings["Schedule"],
            settings.get("Timezone") or "UTC",
            since=action.created_at.timestamp(),
            start=_unix(settings.get("StartTime")),
            end=_unix(settings.get("EndTime")),
        )
        try:
            return schedule.next_after(self.clock.timestamp())
        except ScheduleError as error:
            raise validation_exception(
                f"Invalid schedule expression {settings['Schedule']}: {error}"
            ) from error


def _aware(value: Any) -> Any:
    """Return a time without a zone as UTC; anything else unchanged."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _view(target: ScalableTarget, action: ScheduledAction) -> dict[str, Any]:
    """Return botocore's `ScheduledAction`."""
    return {
        "ScheduledActionName": action.name,
        "ScheduledActionARN": action.arn,
        **target.key(),
        **action.settings,
        "CreationTime": action.created_at,
    }
