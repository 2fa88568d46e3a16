"""Statistics of a sample: the five simple ones, percentiles, trimmed and winsorized means, counts, ranks.

Source: CloudWatch user guide, "CloudWatch statistics definitions". AWS does not publish how it interpolates
percentiles; here it is linear between the two nearest ranks.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudwatch.sample import Sample

    Weighted = list[tuple[float, float]]

SIMPLE: dict[str, Callable[[Sample], float]] = {
    "SampleCount": lambda sample: sample.count,
    "Average": lambda sample: sample.total / sample.count,
    "Sum": lambda sample: sample.total,
    "Minimum": lambda sample: sample.low,
    "Maximum": lambda sample: sample.high,
}

_SHORT = re.compile(r"(?P<kind>p|tm|wm|tc|ts|TM|WM|TC|TS|P)(?P<percent>\d{1,3}(?:\.\d{1,10})?)")
_RANGE = re.compile(
    r"(?P<kind>PR|TM|WM|TC|TS)\((?P<low>-?[\d.]*)(?P<low_percent>%?):(?P<high>-?[\d.]*)(?P<high_percent>%?)\)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Extended:
    """An extended statistic: what is computed of the values between two bounds.

    Attributes:
        kind: `p`, `tm`, `wm`, `tc`, `ts` or `pr`.
        low: The lower bound, None for none; a percentile, or a value (which then is excluded).
        high: The upper bound.
        percent: Whether bounds are percentiles.
    """

    kind: str
    low: float | None
    high: float | None
    percent: bool

    def of(self, sample: Sample) -> float | None:
        """Return the statistic; None where the distribution is not known or nothing is within bounds."""
        distribution = sample.distribution
        if distribution is None:
            return None
        if self.kind == "p":
            return percentile(distribution, self.high or 0.0)
        values = sorted(distribution.items())
        inside = self._inside(values, sample.count)
        count = math.fsum(weight for _, weight in inside)
        total = math.fsum(value * weight for value, weight in inside)
        if self.kind == "tc":
            return count
        if self.kind == "ts":
            return total
        if self.kind == "pr":
            return 100.0 * count / sample.count
        if self.kind == "wm":
            return self._winsorized(values, inside, sample.count)
        return total / count if count else None

    def _inside(self, values: Weighted, count: float) -> Weighted:
        if not self.percent:
            low = -math.inf if self.low is None else self.low
            high = math.inf if self.high is None else self.high
            return [(value, weight) for value, weight in values if low < value <= high]
        first = (self.low or 0.0) / 100 * count
        last = (100.0 if self.high is None else self.high) / 100 * count
        inside, passed = [], 0.0
        for value, weight in values:
            kept = min(last, passed + weight) - max(first, passed)
            if kept > 0:
                inside.append((value, kept))
            passed += weight
        return inside

    def _winsorized(self, values: Weighted, inside: Weighted, count: float) -> float | None:
        """Return the mean with the values outside the bounds replaced by the bounds."""
        if self.percent:
            if not inside:
                return None
            low, high = inside[0][0], inside[-1][0]
        else:
            low = -math.inf if self.low is None else self.low
            high = math.inf if self.high is None else self.high
        return math.fsum(min(max(value, low), high) * weight for value, weight in values) / count


@lru_cache(maxsize=1024)
def extended(text: str) -> Extended | None:
    """Parse an extended statistic (`p99.9`, `tm90`, `TC(1:)`, `IQM`); None if the text is not one."""
    if text.upper() == "IQM":
        return Extended("tm", 25.0, 75.0, percent=True)
    if short := _SHORT.fullmatch(text):
        percent = float(short["percent"])
        return Extended(short["kind"].lower(), None, percent, percent=True) if percent <= 100 else None  # noqa: PLR2004
    found = _RANGE.fullmatch(text)
    if not found or not (found["low"] or found["high"]):
        return None
    kind = found["kind"].lower()
    units = {found[f"{end}_percent"] for end in ("low", "high") if found[end]}
    if len(units) > 1 or (kind == "pr" and "%" in units):
        return None
    try:
        low, high = (float(found[end]) if found[end] else None for end in ("low", "high"))
    except ValueError:
        return None
    return Extended(kind, low, high, percent="%" in units)


def known(statistic: str) -> bool:
    """Return whether a text names a statistic."""
    return statistic in SIMPLE or extended(statistic) is not None


def compute(sample: Sample, statistic: str) -> float | None:
    """Return a statistic of a sample; None where it cannot be known."""
    simple = SIMPLE.get(statistic)
    if simple:
        return simple(sample)
    found = extended(statistic)
    return found.of(sample) if found else None


def percentile(distribution: Mapping[float, float], percent: float) -> float:
    """Return a percentile of weighted values, linear between the nearest ranks."""
    values = sorted(distribution.items())
    count = math.fsum(weight for _, weight in values)
    rank = percent / 100 * max(count - 1, 0.0)
    passed = 0.0
    for index, (value, weight) in enumerate(values):
        passed += weight
        if rank <= passed - 1 or index == len(values) - 1:
            return value
        if rank < passed:
            return value + (values[index + 1][0] - value) * (rank - (passed - 1))
    return values[-1][0]


def samples_needed(statistic: str) -> float:
    """Return how many observations make a percentile significant: 10/(1-p) above the median, 10/p below.

    Source: CloudWatch user guide, "Percentile-based alarms and low data samples".
    """
    found = extended(statistic)
    if found is None or found.kind != "p":
        return 0.0
    share = (found.high or 0.0) / 100
    rest = 1 - share if share >= 0.5 else share  # noqa: PLR2004
    return 10 / rest if rest > 0 else 0.0
