"""Executes scaling policies when alarms fire, with what the alarms saw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.decisions import (
    FLAPPING,
    IN,
    OUT,
    Decision,
    decide,
    step,
    step_breach,
    stepped,
    tracked,
)
from samjhadoo_emulator.autoscaling.model import STEP, TRACKING, Cooldown
from samjhadoo_emulator.autoscaling.policies import Policies
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.autoscaling.model import Policy, ScalableTarget
    from samjhadoo_emulator.service import AwsApi, Params, Result

COOLDOWN = 300
"""Emulated seconds of a cooldown that an ECS service's policy does not set."""


class Scaling(Policies):
    """Alarms name a policy and an instant; the policy reads the alarm's metric and sets the capacity."""

    @operation("ExecutePolicy")
    async def execute_policy(self, params: Params) -> Result:
        """Execute a policy for an alarm; CloudWatch calls this; AWS's model does not have the operation."""
        found = self.policy_of(params["PolicyARN"])
        if found is None:
            raise AwsError("ObjectNotFoundException", f"No scaling policy found for {params['PolicyARN']}")
        target, policy = found
        async with self.turns[target.resource]:
            if self.targets.get(target.resource) is target and target.policies.get(policy.name) is policy:
                await self._execute(target, policy, params["AlarmName"], float(params["At"]))
        return {}

    async def _execute(self, target: ScalableTarget, policy: Policy, alarm: str, at: float) -> None:
        reading = await read(self.aws, alarm, at)
        if reading is None:
            return
        current: int = (await self.ecs_service(target))["desiredCount"]
        cause = f"monitor alarm {alarm} in state {reading.state} triggered policy {policy.name}"
        if policy.type == TRACKING and alarm == policy.low:
            decision = await self._shrink(target, current, at)
        else:
            propose = _stepping(policy, reading) if policy.type == STEP else _growing(policy, reading)
            decision = await self._decide(target, current, propose)
        if decision.capacity is None:
            if decision.reason:
                self.not_scaled(target.resource, cause, decision.reason)
            return
        if await self.change(target, decision.capacity, cause):
            self._cool_down(target, policy, current, decision)

    async def _decide(self, target: ScalableTarget, current: int, propose: Callable[[int], int]) -> Decision:
        deploying = await self.deploying(target)
        return decide(target, current, propose, now=self.clock.timestamp(), deploying=deploying)

    async def _shrink(self, target: ScalableTarget, current: int, at: float) -> Decision:
        """Scale in by target tracking: only when all its policies that scale in want to, and by the least.

        The busiest of the minutes that a policy's alarm has evaluated counts [I].
        """
        wishes: list[Callable[[int], int]] = []
        for policy in target.policies.values():
            if policy.type == TRACKING and policy.low:
                reading = await read(self.aws, policy.low, at)
                if reading is None or reading.state != ALARM:
                    return Decision(direction=IN, reason={"Code": FLAPPING, "CurrentCapacity": current})
                wishes.append(_shrinking(policy, reading))
        return await self._decide(target, current, lambda base: max(wish(base) for wish in wishes))

    def _cool_down(self, target: ScalableTarget, policy: Policy, before: int, decision: Decision) -> None:
        now, configuration = self.clock.timestamp(), policy.configuration
        member = "Cooldown"
        if policy.type == TRACKING:
            member = "ScaleOutCooldown" if decision.direction == OUT else "ScaleInCooldown"
        until = now + configuration.get(member, COOLDOWN)
        if decision.direction == IN:
            target.scaled_in = Cooldown(before, until)
            target.scaled_out = None
        else:
            earlier = target.scaled_out
            base = earlier.base if earlier is not None and now < earlier.until else before
            target.scaled_out = Cooldown(base, until)
            target.scaled_in = None


def _stepping(policy: Policy, reading: AlarmReading) -> Callable[[int], int]:
    configuration = policy.configuration
    adjustment = step(configuration, step_breach(configuration, reading.values, reading.threshold))
    return lambda base: base if adjustment is None else stepped(configuration, base, adjustment)


def _growing(policy: Policy, reading: AlarmReading) -> Callable[[int], int]:
    """Return what a target tracking policy wants that scales out: by the newest data point [I]."""
    goal = float(policy.configuration["TargetValue"])
    newest = reading.values[-1] if reading.values else 0.0
    return lambda base: max(base, tracked(base, newest, goal))


def _shrinking(policy: Policy, reading: AlarmReading) -> Callable[[int], int]:
    goal = float(policy.configuration["TargetValue"])
    busiest = max(reading.values, default=goal)
    return lambda base: min(base, tracked(base, busiest, goal))


ALARM = "ALARM"


@dataclass(frozen=True)
class AlarmReading:
    """An alarm's state and its newest data points.

    Attributes:
        values: Of the alarm's evaluation periods, the newest last.
    """

    name: str
    state: str
    threshold: float
    values: list[float]


async def read(aws: AwsApi, name: str, at: float) -> AlarmReading | None:
    """Return an alarm and the data points that it saw at a time (Unix, emulated); None without an alarm.

    With late data an alarm reads further back than its evaluation periods, and so does this.

    Raises:
        AwsError: CloudWatch refused.
    """
    alarms = (await aws.call("cloudwatch", "DescribeAlarms", AlarmNames=[name]))["MetricAlarms"]
    if not alarms:
        return None
    alarm = alarms[0]
    queries, watched = _queries(alarm)
    period = max((query["MetricStat"]["Period"] for query in queries if query.get("MetricStat")), default=60)
    periods: int = alarm["EvaluationPeriods"]
    end = int(at // period) * period
    answer = await aws.call(
        "cloudwatch",
        "GetMetricData",
        MetricDataQueries=queries,
        StartTime=datetime.fromtimestamp(end - 2 * (periods + 1) * period, UTC),
        EndTime=datetime.fromtimestamp(end, UTC),
        ScanBy="TimestampAscending",
    )
    values: list[float] = next(
        (each["Values"] for each in answer["MetricDataResults"] if each["Id"] == watched), []
    )
    return AlarmReading(name, alarm["StateValue"], float(alarm["Threshold"]), values[-periods:])


def _queries(alarm: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Return an alarm's metric data queries and the id of the one that it watches."""
    metrics = alarm.get("Metrics")
    if metrics:
        return metrics, next(query["Id"] for query in metrics if query.get("ReturnData", True))
    metric = {"Namespace": alarm["Namespace"], "MetricName": alarm["MetricName"]}
    stat = {
        "Metric": {**metric, "Dimensions": alarm.get("Dimensions") or []},
        "Period": alarm["Period"],
        "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"],
        **({"Unit": alarm["Unit"]} if alarm.get("Unit") else {}),
    }
    return [{"Id": "watched", "MetricStat": stat}], "watched"
