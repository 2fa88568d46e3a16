"""The metrics of a region: compact, and bounded by AWS's retention on the emulated clock."""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudwatch.sample import Sample, combined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]
"""Namespace, name and dimensions (sorted by name) of a metric."""

SECOND, MINUTE, FIVE_MINUTES, HOUR = 1, 60, 300, 3600
DAY = 24 * HOUR
RETENTION = {SECOND: 3 * HOUR, MINUTE: 15 * DAY, FIVE_MINUTES: 63 * DAY, HOUR: 455 * DAY}
"""Seconds for which points of each resolution are kept (user guide, "Metrics retention")."""

COARSER = {SECOND: MINUTE, MINUTE: FIVE_MINUTES, FIVE_MINUTES: HOUR, HOUR: 0}
"""What points of each resolution become after that time."""

MOST_POINTS = {SECOND: 3 * HOUR, MINUTE: 36 * HOUR // MINUTE, FIVE_MINUTES: 1000, HOUR: 25_000}
"""Points of a series by resolution; beyond it the oldest become coarser before their time.

An emulated clock may run thousands of times faster, and then days of minutes come together within an hour.
Alarms look back a day in periods of less than an hour, and seven days in longer ones.
"""

LISTED = 14 * DAY
"""Seconds for which a metric without new data is still listed."""

RECENT = 3 * HOUR


class Series:
    """The points of one metric in one unit, by resolution and start of their period."""

    __slots__ = ("latest", "newest", "points")

    def __init__(self) -> None:
        self.points: dict[int, dict[int, Sample]] = {SECOND: {}, MINUTE: {}, FIVE_MINUTES: {}, HOUR: {}}
        self.latest = 0.0
        self.newest: Sample | None = None

    def add(self, at: float, sample: Sample, resolution: int) -> None:
        """Add observations made at a Unix time of the emulated clock."""
        start = int(at // resolution) * resolution
        points = self.points[resolution]
        present = points.get(start)
        if present is not None:
            sample = present.merged(sample)
        elif sample == self.newest:
            sample = self.newest  # most series repeat themselves: one object serves all their points
        points[start] = self.newest = sample
        self.latest = max(self.latest, at)

    @property
    def by_minute(self) -> bool:
        """Whether all points are minutes."""
        return not (self.points[SECOND] or self.points[FIVE_MINUTES] or self.points[HOUR])

    def expire(self, now: float, *, share: int = 8) -> None:
        """Make old points coarser, and forget the oldest.

        Args:
            share: It waits until an eighth of the points is due, which costs less than one after the other.
        """
        for resolution, coarser in COARSER.items():
            points, most = self.points[resolution], MOST_POINTS[resolution]
            if not points:
                continue
            limit, slack = now - RETENTION[resolution], most // share
            if len(points) <= most + slack and next(iter(points)) >= limit - slack * resolution:
                continue
            excess = len(points) - most
            old = [at for number, at in enumerate(points) if number < excess or at < limit]
            for at in old:
                sample = points.pop(at)
                if coarser:
                    self._add_packed(at, sample, coarser)
            self.points[resolution] = dict(points)  # without the gaps that `pop` leaves

    def _add_packed(self, at: int, sample: Sample, resolution: int) -> None:
        start, points = at // resolution * resolution, self.points[resolution]
        present = points.get(start)
        points[start] = (sample if present is None else present.merged(sample)).packed()

    def between(self, start: float, end: float) -> Iterator[tuple[int, Sample]]:
        """Yield the points that begin at or after `start` and before `end`."""
        for resolution, points in self.points.items():
            if not points:
                continue
            first = int(-(-start // resolution)) * resolution
            if (end - first) / resolution <= len(points):
                for at in range(first, int(-(-end // 1)), resolution):
                    if at in points:
                        yield at, points[at]
            else:
                yield from ((at, sample) for at, sample in points.items() if start <= at < end)


class Store:
    """Every metric, by namespace, name and dimensions, and in each by unit."""

    def __init__(self) -> None:
        self._metrics: dict[Key, dict[str, Series]] = {}
        self._under_way: list[tuple[float, int, tuple[Key, str, float, Sample, int]]] = []
        self._numbers = itertools.count()

    def add_later(
        self, due: float, key: Key, unit: str, at: float, sample: Sample, *, resolution: int = MINUTE
    ) -> None:
        """Add observations that can be read only from a time of the emulated clock on."""
        heapq.heappush(self._under_way, (due, next(self._numbers), (key, unit, at, sample, resolution)))

    def arrive(self, now: float) -> None:
        """Add what was under way and is due."""
        while self._under_way and self._under_way[0][0] <= now:
            _, _, (key, unit, at, sample, resolution) = heapq.heappop(self._under_way)
            self.add(key, unit, at, sample, resolution=resolution, now=now)

    def add(
        self, key: Key, unit: str, at: float, sample: Sample, *, resolution: int = MINUTE, now: float
    ) -> None:
        """Add observations of a metric."""
        series = self._metrics.setdefault(key, {}).setdefault(unit, Series())
        series.add(at, sample, resolution)
        series.expire(now)

    def units(self, key: Key, unit: str | None) -> dict[str, Series]:
        """Return a metric's series by unit: of one unit, or all of them."""
        series = self._metrics.get(key, {})
        return series if unit is None else {unit: series[unit]} if unit in series else {}

    def read(self, key: Key, unit: str | None, *, start: int, end: int, period: int) -> dict[int, Sample]:
        """Return a metric's observations by the start of their period; periods begin at `start`."""
        found = self.units(key, unit)
        if period == MINUTE and len(found) == 1 and start % MINUTE == 0:
            series = next(iter(found.values()))
            if series.by_minute:  # as nearly all are, and alarms ask for many
                points = series.points[MINUTE]
                return {at: points[at] for at in range(start, end, MINUTE) if at in points}
        return grouped(found.values(), start=start, end=end, period=period)

    def latest(self, key: Key) -> float:
        """Return the time of a metric's newest data; 0 without any."""
        return max((series.latest for series in self._metrics.get(key, {}).values()), default=0.0)

    def keys(self, *, since: float) -> list[Key]:
        """Return the metrics that have had data since a time, in order."""
        return sorted(
            key
            for key, units in self._metrics.items()
            if any(series.latest >= since for series in units.values())
        )

    def __len__(self) -> int:
        return len(self._metrics)

    def forget(self, now: float) -> None:
        """Drop the metrics whose every point has expired."""
        for key, units in list(self._metrics.items()):
            for unit, series in list(units.items()):
                series.expire(now, share=MOST_POINTS[HOUR] + 1)
                if not any(series.points.values()):
                    del units[unit]
            if not units:
                del self._metrics[key]


def grouped(series: Iterable[Series], *, start: int, end: int, period: int) -> dict[int, Sample]:
    """Return the observations of series by the start of periods that begin at `start`."""
    groups: dict[int, list[Sample]] = defaultdict(list)
    for each in series:
        for at, sample in each.between(start, end):
            groups[start + (at - start) // period * period].append(sample)
    return {at: combined(groups[at]) for at in sorted(groups)}
