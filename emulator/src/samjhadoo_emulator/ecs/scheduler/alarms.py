"""The alarms of a deployment, polled through CloudWatch's API."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Deployment
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)
LONGEST_ROLLING_BAKE = 299.0
"""Emulated seconds: a rolling update's bake time depends on its alarms' periods; on AWS it is under 5 min."""
ALARM_POLL = 15.0
"""Emulated seconds between two polls of the deployment's alarms; AWS does not document its interval."""
SHORTEST_POLL = 0.2
"""Real seconds between two polls at least."""


class AlarmWatch:
    """Polls a deployment's alarms through CloudWatch's API, as ECS does."""

    def __init__(self, aws: AwsApi, host: Host) -> None:
        self._aws = aws
        self._clock = host.clock
        self._faults = host.faults
        self._last = 0.0
        self._seen: tuple[str, ...] = ()

    async def already_firing(self, deployment: Deployment) -> bool:
        """Return whether an alarm fires at the start: AWS then ignores all during the whole deployment."""
        self._last = 0.0
        return bool(self._names(deployment)) and bool(await self._in_alarm(deployment))

    def poll_now(self) -> None:
        """Poll the alarms at the next turn: the clock has jumped."""
        self._last = 0.0

    async def rolling_bake(self, deployment: Deployment) -> float:
        """Return the emulated seconds for which a rolling update watches its alarms after its tasks run:
        as long as the slowest of them needs to fire.
        """
        if not self._names(deployment) or deployment.alarms_ignored:
            return 0.0
        periods = [
            float(alarm.get("Period", 60) * alarm.get("EvaluationPeriods", 1))
            for alarm in await self._alarms(deployment)
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
        """Return real seconds until the next poll; None when there are no alarms to poll."""
        return self._interval() if self._names(deployment) and not deployment.alarms_ignored else None

    def _interval(self) -> float:
        return max(SHORTEST_POLL, self._clock.real(ALARM_POLL))

    @staticmethod
    def _names(deployment: Deployment) -> list[str]:
        configuration: dict[str, Any] = deployment.plan.configuration.get("alarms") or {}
        return list(configuration.get("alarmNames", [])) if configuration.get("enable") else []

    async def _in_alarm(self, deployment: Deployment) -> tuple[str, ...]:
        alarms = await self._alarms(deployment)
        return tuple(alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM")

    async def _alarms(self, deployment: Deployment) -> list[dict[str, Any]]:
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
