"""State reasons, in the texts that AWS gives."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms.model import ALARM, INSUFFICIENT_DATA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.cloudwatch.alarms.evaluation import Criteria, Point, Verdict
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm

MOST_SHOWN = 5

_COMPARED = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
}
_TREATED = {
    "breaching": "Breaching",
    "notBreaching": "NonBreaching",
    "missing": "Missing",
    "ignore": "Ignored",
}


def reason(verdict: Verdict, criteria: Criteria, *, old_state: str, counted: bool) -> str:
    """Return the reason for an alarm's state.

    Args:
        verdict: The verdict; its state is known.
        criteria: What decided about the state.
        counted: Whether the alarm names its DatapointsToAlarm ("M out of N").
    """
    if verdict.state == INSUFFICIENT_DATA:
        return (
            f"Insufficient Data: {_amount(criteria.periods, 'datapoint')} {_were(criteria.periods)} unknown."
        )
    if not verdict.points:
        return (
            f"Threshold Crossed: no datapoints were received for {_amount(verdict.filled, 'period')} and "
            f"{_missing(verdict.filled, criteria)}."
        )
    alarming = verdict.state == ALARM
    deciding = [point for point in verdict.points if criteria.breaches(point) == alarming] or list(
        verdict.points
    )
    text = _crossed(deciding, verdict, criteria, counted=counted)
    if counted and not verdict.filled:
        needed = criteria.datapoints if alarming else criteria.periods - criteria.datapoints + 1
        text += f" (minimum {_amount(needed, 'datapoint')} for {old_state} -> {verdict.state} transition)"
    elif verdict.filled and criteria.missing in ("breaching", "notBreaching"):
        text += f" and {_missing(verdict.filled, criteria)}"
    return f"{text}."


def _crossed(points: list[Point], verdict: Verdict, criteria: Criteria, *, counted: bool) -> str:
    shown = ", ".join(f"{point.value} ({_day(point.at)})" for point in reversed(points[-MOST_SHOWN:]))
    amount = _amount(len(points), "datapoint")
    if counted and not verdict.filled:
        amount = f"{len(points)} out of the last {len(verdict.points)} datapoints"
    negation = "" if verdict.state == ALARM else "not "
    compared = f"{negation}{_COMPARED[criteria.comparison]} the threshold ({criteria.threshold})"
    if len(points) > MOST_SHOWN:
        most_recent = f"The most recent datapoints which crossed the threshold: [{shown}]"
        return f"Threshold Crossed: {amount} {_were(len(points))} {compared}. {most_recent}"
    return f"Threshold Crossed: {amount} [{shown}] {_were(len(points))} {compared}"


def reason_data(
    alarm: Alarm, points: Sequence[Point | None], verdict: Verdict, *, threshold: float, now: datetime
) -> str:
    """Return a state's reason as JSON."""
    seen = [point for point in points if point is not None]
    settings = alarm.settings
    data: dict[str, Any] = {"version": "1.0", "queryDate": stamp(now)}
    if seen:
        data["startDate"] = stamp(datetime.fromtimestamp(seen[0].at, UTC))
    if unit := settings.get("Unit"):
        data["unit"] = unit
    if statistic := settings.get("Statistic") or settings.get("ExtendedStatistic"):
        data["statistic"] = statistic
    data |= {
        "period": alarm.period,
        "recentDatapoints": [point.value for point in verdict.points],
        "threshold": threshold,
        "evaluatedDatapoints": [
            {
                "timestamp": stamp(datetime.fromtimestamp(point.at, UTC)),
                "sampleCount": point.samples,
                "value": point.value,
            }
            for point in reversed(verdict.points)
        ],
    }
    return json.dumps(data, separators=(",", ":"))


def stamp(at: datetime) -> str:
    """Return a time as alarms write it: `2026-11-20T10:00:00.000+0000`."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+0000"


def _day(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%d/%m/%y %H:%M:%S}"


def _amount(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def _missing(number: int, criteria: Criteria) -> str:
    return f"{_amount(number, 'missing datapoint')} {_were(number)} treated as [{_TREATED[criteria.missing]}]"
