"""What is requested from ECS: a service's deployment configuration and load balancers, from settings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import REAL_MINUTE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.traffic import LoadBalancing
    from samjhadoo_ops.environment import Environment

TEST_STAGE = "POST_TEST_TRAFFIC_SHIFT"
GATE_STAGE = "PRE_PRODUCTION_TRAFFIC_SHIFT"
_CLEAN_UP_ALLOWANCE = 3600.0
_PATIENCE = 10.0
_PATIENCE_ON_THE_CLOCK = 300.0


def deployment_configuration(env: Environment) -> dict[str, Any]:
    """Return the configuration of a canary deployment that pauses for tests and for both gates.

    A pause that is not answered in time rolls back by itself, so a deploy whose process dies does no harm.
    A rolling deployment has neither shares of traffic nor pauses.
    """
    timeouts = env.deployment.hook_timeouts
    if env.deployment.strategy == "ROLLING":
        return _all_at_once(env)
    return {
        **_all_at_once(env),
        "canaryConfiguration": {
            "canaryPercent": env.deployment.canary_percent,
            "canaryBakeTimeInMinutes": minutes(env.deployment.canary_time),
        },
        "bakeTimeInMinutes": minutes(env.deployment.bake_time),
        "lifecycleHooks": [
            _pause(TEST_STAGE, timeouts.test),
            _pause(GATE_STAGE, timeouts.production),
        ],
    }


def all_at_once_configuration(env: Environment) -> dict[str, Any]:
    """Return the configuration of a deployment that shifts traffic as soon as the tasks are healthy.

    For a first deployment, where there is nothing to compare with, and for a rollback to a release
    that has proven itself.
    """
    return _all_at_once(env)


def _all_at_once(env: Environment) -> dict[str, Any]:
    alarms = list(env.deployment.alarms)
    shares = {
        "canaryConfiguration": {
            "canaryPercent": env.deployment.canary_percent,
            "canaryBakeTimeInMinutes": 0,
        },
        "bakeTimeInMinutes": 0,
    }
    return {
        "strategy": env.deployment.strategy,
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
        **({} if env.deployment.strategy == "ROLLING" else shares),
        "alarms": {"alarmNames": alarms, "enable": bool(alarms), "rollback": bool(alarms)},
        "deploymentCircuitBreaker": {
            "enable": True,
            "rollback": True,
            "resetOnHealthyTask": True,
            "thresholdConfiguration": {"type": "COUNT", "value": env.deployment.circuit_breaker},
        },
        "lifecycleHooks": [],
    }


def _pause(stage: str, timeout: float) -> dict[str, Any]:
    return {
        "targetType": "PAUSE",
        "lifecycleStages": [stage],
        "timeoutConfiguration": {"timeoutInMinutes": max(1, minutes(timeout)), "action": "ROLLBACK"},
    }


def load_balancers(env: Environment, load_balancing: LoadBalancing) -> list[dict[str, Any]]:
    """Return the service's load balancer: with both target groups and listener rules, or with one group."""
    first, *others = load_balancing.target_groups
    rules = {
        "productionListenerRule": load_balancing.production_rule,
        "testListenerRule": load_balancing.test_rule,
    }
    advanced = {
        "alternateTargetGroupArn": "".join(others),
        **{key: arn for key, arn in rules.items() if arn},
        "roleArn": load_balancing.role,
    }
    return [
        {
            "containerName": env.service.container,
            "containerPort": env.service.container_port,
            "targetGroupArn": first,
            **({"advancedConfiguration": advanced} if others else {}),
        }
    ]


def network_configuration(env: Environment, load_balancing: LoadBalancing) -> dict[str, Any]:
    """Return where the tasks run: the settings' subnets, or the load balancer's where they name none."""
    return {
        "awsvpcConfiguration": {
            "subnets": list(env.service.subnets or load_balancing.subnets),
            "securityGroups": list(env.service.security_groups),
            "assignPublicIp": "DISABLED",
        }
    }


def service_settings(env: Environment, service: Mapping[str, Any], *, scaled: bool) -> dict[str, Any]:
    """Return what an existing service should have besides its deployment, as members of UpdateService.

    What the settings do not name is left as it is: they may name no subnets and no security groups.

    Args:
        service: The DescribeServices document.
        scaled: Whether auto scaling decides how many tasks run.
    """
    named = {"subnets": env.service.subnets, "securityGroups": env.service.security_groups}
    network = {
        **service.get("networkConfiguration", {}).get("awsvpcConfiguration", {}),
        **{key: list(names) for key, names in named.items() if names},
    }
    return {
        **({} if scaled else {"desiredCount": env.service.desired_count}),
        "healthCheckGracePeriodSeconds": round(env.service.health_check_grace),
        **({"networkConfiguration": {"awsvpcConfiguration": network}} if network else {}),
    }


def minutes(seconds: float) -> int:
    """Return whole minutes, rounded up: the unit of ECS."""
    return math.ceil(seconds / REAL_MINUTE)


@dataclass(frozen=True)
class Policy:
    """What the tool itself waits for and how long; in seconds on the clock unless stated otherwise.

    Attributes:
        poll: Between two observations of the deployment.
        healthy_within: From the start until the new revision must be healthy.
        ends_within: From the start until the deployment must have ended; follows from the others.
        rollback_within: From a rollback request until it must have ended.
        patience: Real seconds without an answer from AWS after which a person is needed.
        failed_probes: Consecutive failed health probes that end a deployment.
        on_interrupt: `rollback` or `leave`.
        unmonitored: `rollback` or `warn`, when ECS does not monitor alarms or circuit breaker as requested.
    """

    canary_percent: float
    canary_time: float
    poll: float
    healthy_within: float
    ends_within: float
    rollback_within: float
    patience: float
    failed_probes: int
    on_interrupt: str
    unmonitored: str = "rollback"


def rollout_policy(env: Environment, *, real: float) -> Policy:
    """Return an environment's policy; one second of its clock takes `real` seconds."""
    deployment, rollback = env.deployment, env.rollback
    healthy_within = rollback.deployment_timeout
    pauses = deployment.hook_timeouts.test + 2 * deployment.hook_timeouts.production
    baking = deployment.canary_time + deployment.bake_time
    return Policy(
        canary_percent=deployment.canary_percent,
        canary_time=deployment.canary_time,
        poll=deployment.poll,
        healthy_within=healthy_within,
        ends_within=healthy_within + pauses + baking + _CLEAN_UP_ALLOWANCE + healthy_within,
        rollback_within=healthy_within + _CLEAN_UP_ALLOWANCE,
        patience=max(_PATIENCE, _PATIENCE_ON_THE_CLOCK * real),
        failed_probes=rollback.failed_health_checks,
        on_interrupt=rollback.on_interrupt,
        unmonitored=rollback.unmonitored,
    )
