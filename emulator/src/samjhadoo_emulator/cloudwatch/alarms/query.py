"""What an alarm reads at each evaluation, prepared once: its settings change seldom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch import queries
from samjhadoo_emulator.cloudwatch.alarms.evaluation import Criteria, Point, evaluation_range
from samjhadoo_emulator.cloudwatch.statistics import SIMPLE, compute, samples_needed

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm
    from samjhadoo_emulator.cloudwatch.sample import Sample
    from samjhadoo_emulator.cloudwatch.store import Key, Store

MINUTE, HIGH_RESOLUTION = 60, 10


class AlarmQuery:
    """What one alarm reads.

    Args:
        alarm: The alarm, which is no composite.

    Attributes:
        settings: The settings that it was made of.
        criteria: What decides about the state.
        period: Seconds of a data point.
        metrics: The metrics that it reads.

    """

    def __init__(self, alarm: Alarm) -> None:
        self.settings = alarm.settings
        self.criteria = _criteria(alarm.settings)
        self.period = alarm.period
        stats = [query["MetricStat"] for query in alarm.queries if query.get("MetricStat")]
        self.metrics: list[Key] = [queries.metric_key(stat["Metric"]) for stat in stats]
        self._queries, self._watched = alarm.queries, alarm.watched
        wall = "WallClockWindow" in (alarm.settings.get("EvaluationWindow") or {})
        self._step = self.period if wall else HIGH_RESOLUTION if self.period < MINUTE else MINUTE
        self._length = evaluation_range(self.criteria.periods) * self.period
        alone: dict[str, Any] = stats[0] if stats and len(alarm.queries) == 1 else {}
        self._unit: str | None = alone.get("Unit")
        self._statistic: str = alone.get("Stat", "")

    def window(self, now: float) -> tuple[int, int]:
        """Return the evaluation range; it ends with the last minute, or with the last whole period."""
        end = int(now // self._step) * self._step
        return end - self._length, end

    def points(self, store: Store, start: int, end: int) -> list[Point | None]:
        """Return the data point of every period of an evaluation range; None where there is none."""
        grid = range(start, end, self.period)
        if self._statistic:
            samples = store.read(self.metrics[0], self._unit, start=start, end=end, period=self.period)
            return [self._point(at, samples[at]) if at in samples else None for at in grid]
        found = queries.answer(store, self._queries, start=start, end=end)
        series = found.series.get(self._watched) or []
        values = series[0].points if series else {}
        counted = found.samples.get(self._watched, {})
        return [
            Point(at, values[at], counted[at].count if at in counted else 1.0) if at in values else None
            for at in grid
        ]

    def _point(self, at: int, sample: Sample) -> Point | None:
        simple = SIMPLE.get(self._statistic)
        value = simple(sample) if simple else compute(sample, self._statistic)
        return None if value is None else Point(at, value, sample.count)


def _criteria(settings: dict[str, Any]) -> Criteria:
    statistic = settings.get("ExtendedStatistic")
    low = settings.get("EvaluateLowSampleCountPercentile") == "ignore"
    return Criteria(
        datapoints=settings.get("DatapointsToAlarm", settings["EvaluationPeriods"]),
        periods=settings["EvaluationPeriods"],
        comparison=settings["ComparisonOperator"],
        threshold=float(settings["Threshold"]),
        missing=settings.get("TreatMissingData", "missing"),
        samples=samples_needed(statistic) if statistic and low else 0.0,
    )
