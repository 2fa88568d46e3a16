"""What state an alarm has to be in: a pure function of its data points.

Source: CloudWatch user guide, "Evaluating an alarm" and "Configuring how CloudWatch alarms treat missing
data" with its two tables. What they leave open is marked [I], for inference.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from samjhadoo_emulator.cloudwatch.alarms.model import ALARM, INSUFFICIENT_DATA, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
EXTRA_PERIODS = 2
"""Periods of the evaluation range beyond the evaluation periods: the tables' 5 for 3. AWS gives no number
for others [I]."""


class Point(NamedTuple):
    """A data point: the start of its period, its value and how many observations it is made of."""

    at: int
    value: float
    samples: float = 1.0


@dataclass(frozen=True)
class Criteria:
    """What decides about an alarm's state.

    Attributes:
        datapoints: M: data points that have to breach.
        periods: N: the most recent data points that are evaluated.
        comparison: A key of COMPARISONS.
        threshold: What values are compared with.
        missing: How missing data is treated: `missing`, `ignore`, `breaching` or `notBreaching`.
        samples: Observations below which a data point decides nothing; 0 for none.
    """

    datapoints: int
    periods: int
    comparison: str
    threshold: float
    missing: str = "missing"
    samples: float = 0.0

    def breaches(self, point: Point) -> bool:
        return COMPARISONS[self.comparison](point.value, self.threshold)


@dataclass(frozen=True)
class Verdict:
    """The outcome of an evaluation.

    Attributes:
        state: The state to be in; None to stay in the present one.
        points: The data points that were evaluated, the oldest first.
        filled: Missing data points that were counted by their treatment.
    """

    state: str | None
    points: tuple[Point, ...] = ()
    filled: int = 0


def evaluation_range(periods: int) -> int:
    """Return how many periods back an evaluation reads for that many data points."""
    return periods + EXTRA_PERIODS


def evaluate(points: Sequence[Point | None], criteria: Criteria) -> Verdict:
    """Return an alarm's verdict.

    Args:
        points: The data point of every period in the evaluation range, the oldest first, None where it is
            missing.
        criteria: What decides about the state.
    """
    real = [point for point in points if point is not None][-criteria.periods :]
    filled = criteria.periods - len(real)
    if criteria.samples and any(point.samples < criteria.samples for point in real):
        return Verdict(None, tuple(real), filled)
    breaches, threshold = COMPARISONS[criteria.comparison], criteria.threshold
    breaching = sum(breaches(point.value, threshold) for point in real)
    if not filled:
        return Verdict(_crossed(breaching >= criteria.datapoints), tuple(real))
    return Verdict(_with_missing(points, real, breaching, criteria), tuple(real), filled)


def _with_missing(
    points: Sequence[Point | None], real: list[Point], breaching: int, criteria: Criteria
) -> str | None:
    """Decide when there are fewer data points than evaluation periods."""
    if criteria.missing == "breaching":
        return _crossed(breaching + criteria.periods - len(real) >= criteria.datapoints)
    if criteria.missing == "notBreaching":
        return _crossed(breaching >= criteria.datapoints)
    if not real:
        return None if criteria.missing == "ignore" else INSUFFICIENT_DATA
    if breaching >= criteria.datapoints:
        return ALARM
    if breaching < len(real):
        return OK
    # Every data point breaches, but they are too few: not at once an alarm, since the next may be good, but
    # one when the oldest is as old as would have been enough ("premature transitions", rows 5).
    age = len(points) - next(index for index, point in enumerate(points) if point is real[0])
    if criteria.missing == "missing" and age >= criteria.datapoints:
        return ALARM
    return None  # [I]: the guide only says that it does not go into ALARM


def _crossed(crossed: bool) -> str:
    return ALARM if crossed else OK
