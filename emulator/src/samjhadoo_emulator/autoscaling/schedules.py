"""When a scheduled action runs: `at(...)`, `rate(...)` and `cron(...)` in a time zone. No I/O."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from samjhadoo_emulator.autoscaling import cron

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
        raise ScheduleError(f"no schedule: {self.expression}")


def _once(text: str, zone: ZoneInfo, moment: float) -> float | None:
    try:
        at = datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()
    except ValueError as error:
        raise ScheduleError(f"no time: {text}") from error
    return at if at > moment else None


def _next(fields: str, zone: ZoneInfo, moment: float) -> float | None:
    """Return the next time of a cron expression.

    A local time that is skipped when clocks go forward becomes the same time after that, and one that comes
    twice when they go back is taken the first time.
    """
    try:
        expression = cron.parse(fields)
    except cron.CronError as error:
        raise ScheduleError(str(error)) from error
    local: datetime | None = datetime.fromtimestamp(moment, UTC).astimezone(zone).replace(tzinfo=None)
    while local is not None:
        local = expression.next_after(local)
        if local is not None and (at := local.replace(tzinfo=zone).timestamp()) > moment:
            return at
    return None
