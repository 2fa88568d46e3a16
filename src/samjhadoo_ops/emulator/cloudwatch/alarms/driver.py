"""Evaluates the alarms while there are any: once in an emulated minute, or every ten seconds of it while one
of them has a shorter period.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.emulator.cloudwatch import queries
from samjhadoo_ops.emulator.cloudwatch.alarms.evaluation import (
    Criteria,
    Point,
    evaluate,
    evaluation_range,
)
from samjhadoo_ops.emulator.cloudwatch.alarms.reasons import reason, reason_data
from samjhadoo_ops.emulator.cloudwatch.alarms.state import States
from samjhadoo_ops.emulator.cloudwatch.statistics import samples_needed

if TYPE_CHECKING:
    from samjhadoo_ops.emulator.cloudwatch.alarms.model import Alarm
    from samjhadoo_ops.emulator.service import AwsApi, Host

log = logging.getLogger(__name__)

MINUTE, HIGH_RESOLUTION = 60, 10
INGESTION = 0.5
"""Part of an interval after its end at which the alarms look: what was measured in it is there by then."""
SHORTEST_PAUSE = 0.05
"""Real seconds between two evaluations at least, however fast the emulated clock runs."""
BATCH = 25
"""Alarms evaluated before others get their turn on the event loop."""


class Driver(States):
    """Evaluation on the emulated clock."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._driving: asyncio.Task[None] | None = None
        self._jumped = asyncio.Event()

    def clock_jumped(self) -> None:
        """Evaluate at once: what a jump has passed over counts."""
        self._jumped.set()

    def drive(self) -> None:
        """Have the alarms evaluated as long as there are any."""
        if self.alarms and (self._driving is None or self._driving.done()):
            self._driving = self.spawn(self._drive(), name=f"cloudwatch-alarms-{self.region}")

    async def _drive(self) -> None:
        while self.alarms:
            interval = self._interval()
            now = self.clock.timestamp()
            next_look = (now // interval + INGESTION) * interval
            if next_look <= now:
                next_look += interval
            with contextlib.suppress(TimeoutError):
                pause = max(SHORTEST_PAUSE, self.clock.real(next_look - now))
                await asyncio.wait_for(self._jumped.wait(), pause)
            self._jumped.clear()
            try:
                await self.evaluate_all()
            except Exception:
                log.exception("the alarms of %s were not evaluated", self.region)

    def _interval(self) -> int:
        shortest = min(
            (alarm.period for alarm in self.alarms.values() if not alarm.composite), default=MINUTE
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
        settings = alarm.settings
        criteria = _criteria(settings)
        start, end = _window(alarm, criteria, now)
        newest = max(
            (
                self.store.latest(queries.metric_key(query["MetricStat"]["Metric"]))
                for query in alarm.queries
                if query.get("MetricStat")
            ),
            default=now,
        )
        if alarm.quiet and newest < start:
            return  # still nothing there, and that has been judged
        found = queries.answer(self.store, alarm.queries, start=start, end=end)
        points = _points(found, alarm, range(start, end, alarm.period))
        if self._warming_up(alarm, points, criteria, now):
            return
        alarm.quiet = not any(points)
        verdict = evaluate(points, criteria)
        if verdict.state is not None and verdict.state != alarm.state:
            counted = "DatapointsToAlarm" in settings
            text = reason(verdict, criteria, old_state=alarm.state, counted=counted)
            data = reason_data(alarm, points, verdict, threshold=criteria.threshold, now=self.clock.now())
            self.change(alarm, verdict.state, text, data)

    @staticmethod
    def _warming_up(alarm: Alarm, points: list[Point | None], criteria: Criteria, now: float) -> bool:
        warm_up = alarm.settings.get("WarmUpConfiguration")
        if not warm_up:
            return False
        until = alarm.configured_at.timestamp() + 60 * warm_up["WarmUpPeriodDurationInMinutes"]
        full = sum(point is not None for point in points) >= criteria.periods
        early = full and not warm_up.get("OnlyStartEvaluatingAfterWarmUpPeriodEnds", False)
        return now < until and not early


def _window(alarm: Alarm, criteria: Criteria, now: float) -> tuple[int, int]:
    """Return the evaluation range, which ends with the last minute or, if asked, the last whole period."""
    period = alarm.period
    wall = "WallClockWindow" in (alarm.settings.get("EvaluationWindow") or {})
    step = period if wall else HIGH_RESOLUTION if period < MINUTE else MINUTE
    end = int(now // step) * step
    return end - evaluation_range(criteria.periods) * period, end


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


def _points(found: queries.Found, alarm: Alarm, grid: range) -> list[Point | None]:
    series = found.series.get(alarm.watched) or []
    values = series[0].points if series else {}
    samples = found.samples.get(alarm.watched, {})
    return [
        Point(at, values[at], samples[at].count if at in samples else 1.0) if at in values else None
        for at in grid
    ]
