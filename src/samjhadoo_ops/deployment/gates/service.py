"""Is the service in a state from which it can be deployed: idle, steady, and watched by quiet alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.gates.gate import Facts, Finding, gate, ok, refused, skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_GOOD = frozenset({"SUCCESSFUL", "ROLLBACK_SUCCESSFUL"})
_ALARMS_PER_CALL = 100


@gate("no deployment is in progress")
def no_deployment(facts: Facts) -> Finding:
    """Refuse while a service deployment is in progress, whoever started it."""
    for brief in facts.deployments:
        if brief["status"] in ONGOING:
            return refused(
                f"{brief['serviceDeploymentArn']} is {brief['status']}",
                remedy="wait for it to end (invoke status), or stop it: invoke rollback",
            )
    return ok("none")


@gate("the last deployment succeeded")
def last_deployment(facts: Facts) -> Finding:
    """Refuse after a deployment that was stopped half way or whose rollback failed.

    ECS rolls back only to a deployment that succeeded; after any other there is nothing to roll back to.
    """
    if facts.first:
        return skipped("no deployment has succeeded yet")
    ended = [brief for brief in facts.deployments if brief["status"] not in ONGOING]
    if ended[0]["status"] in _GOOD:
        return ok(ended[0]["status"])
    return refused(
        f"{ended[0]['serviceDeploymentArn']} ended {ended[0]['status']}",
        remedy="first return to the last release that worked: invoke rollback",
    )


@gate("the service is steady")
def service_steady(facts: Facts) -> Finding:
    """Refuse while the service is not active with all its tasks running: a canary is compared with them."""
    service = facts.service
    if service is None:
        return skipped("there is no service yet: this is the first deployment")
    if facts.first:
        return skipped("no deployment has succeeded yet")
    if service["status"] != "ACTIVE":
        return refused(f"the service is {service['status']}", remedy="wait, then deploy again")
    running, desired, pending = service["runningCount"], service["desiredCount"], service["pendingCount"]
    if running != desired or pending:
        return refused(
            f"{running} of {desired} tasks are running, {pending} pending",
            remedy="invoke status shows why; invoke rollback returns to the last release that worked",
        )
    return ok(f"{running} of {desired} tasks are running")


@gate("no deployment alarm is firing")
def alarms(facts: Facts) -> Finding:
    """Refuse when an alarm of the deployment is firing, or doesn't exist.

    ECS watches none of a deployment's alarms when one of them is firing as it begins
    (`deployment-alarm-failure` in the ECS guide): one stale alarm disables all of them.
    """
    names = list(facts.env.deployment.alarms)
    if not names:
        return skipped("no alarms are configured (deployment.alarms)")
    client = facts.aws.client("cloudwatch")
    states: dict[str, str] = {}
    for start in range(0, len(names), _ALARMS_PER_CALL):
        answer = client.describe_alarms(
            AlarmNames=names[start : start + _ALARMS_PER_CALL],
            AlarmTypes=["MetricAlarm", "CompositeAlarm"],
            MaxRecords=_ALARMS_PER_CALL,
        )
        found = [*answer.get("MetricAlarms", ()), *answer.get("CompositeAlarms", ())]
        states |= {alarm["AlarmName"]: alarm["StateValue"] for alarm in found}
    return decide_alarms(names, states)


def decide_alarms(names: Sequence[str], states: Mapping[str, str]) -> Finding:
    """Return the finding for the states of the alarms that exist."""
    missing = [name for name in names if name not in states]
    if missing:
        return refused(
            f"there is no alarm {', '.join(missing)} (deployment.alarms)",
            remedy="create it, or remove it from deployment.alarms",
        )
    firing = [name for name in names if states[name] == "ALARM"]
    if firing:
        return refused(
            f"{', '.join(firing)} is firing: ECS would ignore all alarms during the deployment",
            remedy="wait until it stops firing, or fix its cause",
        )
    return ok(f"{len(names)} quiet")
