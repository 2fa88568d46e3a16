"""What a deployment is judged by: its tasks, its breaker and its alarms."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.deployments import breaker
from samjhadoo_emulator.ecs.deployments.machine import Observation
from samjhadoo_emulator.ecs.deployments.steps import SHIFT_STAGES
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Deployment, Service
    from samjhadoo_emulator.ecs.scheduler.fleet import Fleet
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)
LONGEST_ROLLING_BAKE = 299.0
"""Emulated seconds: a rolling update's bake, made of its alarms' periods, is less than 5 minutes at AWS."""
ALARM_POLL = 15.0
"""Emulated seconds between two looks at the deployment's alarms; AWS does not say how often it looks."""
SHORTEST_POLL = 0.2
"""Real seconds below which two looks at the alarms never fall."""


def observe(
    service: Service,
    deployment: Deployment,
    fleet: Fleet,
    *,
    now: float,
    alarms: tuple[str, ...],
    problem: str,
) -> Observation:
    """Return what the state machine has to know now."""
    rolling = deployment.plan.configuration.get("strategy", "ROLLING") == "ROLLING"
    step = deployment.state.step
    source = deployment.candidate or (deployment.sources[0] if deployment.sources else None)
    kept = [deployment.target] * step.target + ([source] if step.source and source else [])
    configuration = deployment.plan.breaker
    limit = breaker.threshold(configuration, service.desired_count)
    return Observation(
        now=now,
        target_ready=fleet.ready(deployment.target, percent=step.healthy),
        source_ready=source is None or fleet.ready(source),
        others_gone=fleet.only(kept),
        weights=None if rolling else _weights(deployment),
        breaker_tripped=bool(configuration.get("enable")) and deployment.breaker.failures >= limit,
        alarms=alarms,
        problem=problem,
    )


def _weights(deployment: Deployment) -> tuple[float, float]:
    step = deployment.state.step
    return deployment.weights if step.stage in SHIFT_STAGES else (step.production, step.test)


class AlarmWatch:
    """Looks at a deployment's alarms through CloudWatch's API, as ECS does."""

    def __init__(self, aws: AwsApi, host: Host) -> None:
        self._aws = aws
        self._clock = host.clock
        self._faults = host.faults
        self._last = 0.0
        self._seen: tuple[str, ...] = ()

    async def already_firing(self, deployment: Deployment) -> bool:
        """Tell whether an alarm fires at the start: AWS then ignores all of them for the whole deployment."""
        self._last = 0.0
        return bool(self._names(deployment)) and bool(await self._in_alarm(deployment))

    def look_again(self) -> None:
        """Look at the alarms at the next turn: the clock has jumped."""
        self._last = 0.0

    async def rolling_bake(self, deployment: Deployment) -> float:
        """Return the emulated seconds for which a rolling update watches its alarms after its tasks run:
        as long as the slowest of them needs to fire.
        """
        if not self._names(deployment) or deployment.alarms_ignored:
            return 0.0
        periods = [
            float(alarm.get("Period", 60) * alarm.get("EvaluationPeriods", 1))
            for alarm in await self._described(deployment)
        ]
        return min(LONGEST_ROLLING_BAKE, max(periods, default=0.0))

    async def firing(self, deployment: Deployment) -> tuple[str, ...]:
        """Return the alarms in ALARM as last polled."""
        if not self._names(deployment) or deployment.alarms_ignored:
            return ()
        if time.monotonic() - self._last >= self._interval():
            self._seen = () if self._faults.alarms_missed() else await self._in_alarm(deployment)
            self._last = time.monotonic()
        return self._seen

    def due(self, deployment: Deployment) -> float | None:
        """Return real seconds until the next look; None when there is nothing to look at."""
        return self._interval() if self._names(deployment) and not deployment.alarms_ignored else None

    def _interval(self) -> float:
        return max(SHORTEST_POLL, self._clock.real(ALARM_POLL))

    @staticmethod
    def _names(deployment: Deployment) -> list[str]:
        configuration: dict[str, Any] = deployment.plan.configuration.get("alarms") or {}
        return list(configuration.get("alarmNames", [])) if configuration.get("enable") else []

    async def _in_alarm(self, deployment: Deployment) -> tuple[str, ...]:
        alarms = await self._described(deployment)
        return tuple(alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM")

    async def _described(self, deployment: Deployment) -> list[dict[str, Any]]:
        """Return the alarms; none when CloudWatch refuses: AWS then misses them, too."""
        try:
            answer = await self._aws.call(
                "cloudwatch",
                "DescribeAlarms",
                AlarmNames=self._names(deployment),
                AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            )
        except AwsError as error:
            log.warning("polling alarms: %s", error.message)
            return []
        return [*answer.get("MetricAlarms", []), *answer.get("CompositeAlarms", [])]
