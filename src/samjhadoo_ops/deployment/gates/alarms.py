"""ECS does not watch any alarm of a deployment that begins while one of them is firing
(`deployment-alarm-failure` in the ECS guide): one stale alarm disables all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.deployment.gates.ground import Ground

_BATCH = 100


def check(ground: Ground) -> Finding:
    """Refuse when an alarm of the deployment is firing, or doesn't exist."""
    names = list(ground.env.deployment.alarms)
    if not names:
        return skipped("no alarms are configured (deployment.alarms)")
    client = ground.aws.client("cloudwatch")
    states: dict[str, str] = {}
    for start in range(0, len(names), _BATCH):
        answer = client.describe_alarms(
            AlarmNames=names[start : start + _BATCH],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=_BATCH,
        )
        found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        states |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
    return decide(names, states)


def decide(names: Sequence[str], states: Mapping[str, str]) -> Finding:
    """Return the finding for the states of the alarms that exist."""
    missing = [name for name in names if name not in states]
    if missing:
        return refused(
            f"there is no alarm {', '.join(missing)} (deployment.alarms)",
            remedy="create it, or take it out of deployment.alarms",
        )
    firing = [name for name in names if states[name] == "ALARM"]
    if firing:
        return refused(
            f"{', '.join(firing)} is firing: ECS would ignore all alarms during the deployment",
            remedy="wait until it is over, or mend what it tells of",
        )
    return ok(f"{len(names)} quiet")


GATE = Gate("alarms", "no deployment alarm is firing", check)
