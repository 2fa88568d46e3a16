"""Evaluates the alarms while there are any: once in an emulated minute, or every ten seconds of it while one
of them has a shorter period.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from samjhadoo_emulator.cloudwatch import queries
from samjhadoo_emulator.cloudwatch.alarms.evaluation import Criteria, Point, evaluate, evaluation_range
from samjhadoo_emulator.cloudwatch.alarms.reasons import reason, reason_data
from samjhadoo_emulator.cloudwatch.alarms.state import States
from samjhadoo_emulator.cloudwatch.statistics import SIMPLE, compute, samples_needed

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm
    from samjhadoo_emulator.cloudwatch.sample import Sample
    from samjhadoo_emulator.cloudwatch.store import Key, Store
    from samjhadoo_emulator.service import AwsApi, Host

MINUTE, HIGH_RESOLUTION = 60, 10


class AlarmQuery:
    """What one alarm reads.

    Args:
        alarm: The alarm, which is no composite.

    Attributes:
        criteria: What decides about the state.
        period: Seconds of a data point.
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


log = logging.getLogger(__name__)

INGESTION = 0.5
"""When alarms are evaluated, as a part of the interval after its end: metrics have arrived by then."""
SHORTEST_PAUSE = 0.05
"""Real seconds between two evaluations at least, however fast the emulated clock runs."""
BATCH = 25
"""Alarms evaluated before others get their turn on the event loop."""


class AlarmDriver(States):
    """Evaluation on the emulated clock."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._driving: asyncio.Task[None] | None = None
        self._jumped = asyncio.Event()
        self._alarm_queries: WeakKeyDictionary[Alarm, AlarmQuery] = WeakKeyDictionary()

    def clock_jumped(self) -> None:
        """Evaluate at once: the time that a jump skips counts."""
        self._jumped.set()

    def drive(self) -> None:
        """Have the alarms evaluated as long as there are any."""
        if self.alarms and (self._driving is None or self._driving.done()):
            self._driving = self.spawn(self._drive(), name=f"cloudwatch-alarms-{self.region}")

    async def _drive(self) -> None:
        while self.alarms:
            interval = self._interval()
            now = self.clock.timestamp()
            next_at = (now // interval + INGESTION) * interval
            if next_at <= now:
                next_at += interval
            pause = max(SHORTEST_PAUSE, self.clock.real(next_at - now))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._jumped.wait()
            self._jumped.clear()
            try:
                await self.evaluate_all()
            except Exception:
                log.exception("the alarms of %s were not evaluated", self.region)

    def _interval(self) -> int:
        shortest = min(
            (self._query_of(alarm).period for alarm in self.alarms.values() if not alarm.composite),
            default=MINUTE,
        )
        return HIGH_RESOLUTION if shortest < MINUTE else MINUTE

    async def evaluate_all(self) -> None:
        """Evaluate every metric alarm; composites follow their children."""
        now = self.clock.timestamp()
        self.store.arrive(now)
        for index, alarm in enumerate(list(self.alarms.values())):
            if index % BATCH == BATCH - 1:
                await asyncio.sleep(0)
            if alarm.name not in self.alarms or now < alarm.held_until:
                continue
            if alarm.composite:
                self.judge(alarm)
            else:
                self._evaluate(alarm, now)
                self.act_again(alarm, now)
        self.suppressions()

    def _evaluate(self, alarm: Alarm, now: float) -> None:
        query = self._query_of(alarm)
        start, end = query.window(now)
        if alarm.quiet and max(map(self.store.latest, query.metrics), default=now) < start:
            return  # still no data, and that has been evaluated
        points = query.points(self.store, start, end)
        if self._warming_up(alarm, points, query.criteria, now):
            return
        alarm.quiet = not any(points)
        verdict = evaluate(points, query.criteria)
        if verdict.state is not None and verdict.state != alarm.state:
            counted = "DatapointsToAlarm" in alarm.settings
            text = reason(verdict, query.criteria, old_state=alarm.state, counted=counted)
            threshold = query.criteria.threshold
            data = reason_data(alarm, points, verdict, threshold=threshold, now=self.clock.now())
            self.change(alarm, verdict.state, text, data)

    def _query_of(self, alarm: Alarm) -> AlarmQuery:
        query = self._alarm_queries.get(alarm)
        if query is None or query.settings is not alarm.settings:
            query = self._alarm_queries[alarm] = AlarmQuery(alarm)
        return query

    @staticmethod
    def _warming_up(alarm: Alarm, points: list[Point | None], criteria: Criteria, now: float) -> bool:
        warm_up = alarm.settings.get("WarmUpConfiguration")
        if not warm_up:
            return False
        until = alarm.configured_at.timestamp() + 60 * warm_up["WarmUpPeriodDurationInMinutes"]
        full = sum(point is not None for point in points) >= criteria.periods
        early = full and not warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds", False)
        return now < until and not early
