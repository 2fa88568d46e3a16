"""What is kept of a metric in one period: a statistic set and, where it is known, the distribution."""

from __future__ import annotations

import functools
import itertools
import math
from array import array
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_VALUES = 150
"""Different values that are kept exactly; beyond it they are rounded to buckets of one percent."""

_BUCKET = math.log(1.01)


class Sample:
    """The observations of one period.

    Attributes:
        count: How many there were; AWS allows fractions.
        low: The smallest of them. high: The largest of them.
    """

    __slots__ = ("_values", "count", "high", "low", "total")

    def __init__(
        self,
        count: float,
        total: float,
        low: float,
        high: float,
        values: dict[float, float] | array[float] | None = None,
    ) -> None:
        self.count = count
        self.total = total
        self.low = low
        self.high = high
        self._values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sample) and self._members() == other._members()

    __hash__ = None  # type: ignore[assignment]

    def _members(self) -> tuple[object, ...]:
        return (self.count, self.total, self.low, self.high, self._values)

    @classmethod
    def single(cls, value: float) -> Sample:
        """Return one observation."""
        return cls(1.0, value, value, value)

    @classmethod
    def of(cls, counts: Mapping[float, float]) -> Sample:
        """Return observations from how often each value was seen; at least one."""
        total = math.fsum(value * count for value, count in counts.items())
        values = dict(counts) if len(counts) > 1 else None
        if values and len(values) > MOST_VALUES:
            values = _rounded(values)
        return cls(math.fsum(counts.values()), total, min(counts), max(counts), values)

    @property
    def distribution(self) -> Mapping[float, float] | None:
        """How often each value was seen; None where only a statistic set was published."""
        if isinstance(self._values, array):
            return dict(zip(self._values[::2], self._values[1::2], strict=True))
        if self._values is not None:
            return self._values
        return {self.low: self.count} if self.low == self.high else None

    def packed(self) -> Sample:
        """Return the same observations in a fifth of the space: they are unpacked whenever they are read."""
        if not isinstance(self._values, dict):
            return self
        pairs = array("d", itertools.chain.from_iterable(self._values.items()))
        return Sample(self.count, self.total, self.low, self.high, pairs)

    def merged(self, other: Sample) -> Sample:
        """Return the observations of both."""
        mine, others = self.distribution, other.distribution
        values: dict[float, float] | None = None
        if mine is not None and others is not None and (len(mine) > 1 or mine.keys() != others.keys()):
            values = dict(mine)
            for value, count in others.items():
                values[value] = values.get(value, 0.0) + count
            if len(values) > MOST_VALUES:
                values = _rounded(values)
        return Sample(
            self.count + other.count,
            self.total + other.total,
            min(self.low, other.low),
            max(self.high, other.high),
            values,
        )


def combined(samples: Sequence[Sample]) -> Sample:
    """Return the observations of all, of which there is at least one."""
    return functools.reduce(Sample.merged, samples)


def _rounded(values: Mapping[float, float]) -> dict[float, float]:
    """Merge values that differ by less than one percent; each bucket is named after its geometric middle."""
    buckets: dict[float, float] = defaultdict(float)
    for value, count in values.items():
        if value == 0:
            buckets[0.0] += count
        else:
            middle = math.exp((math.floor(math.log(abs(value)) / _BUCKET) + 0.5) * _BUCKET)
            buckets[math.copysign(middle, value)] += count
    return dict(buckets)
