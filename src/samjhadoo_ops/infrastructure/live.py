"""What ECS decides in the stacks, read from AWS: the traffic's weights, and whether the service exists.

A template takes these values as parameters, so that an update leaves the traffic where ECS has sent it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.aws_errors import aws_errors
from samjhadoo_ops.deployment.ecs import ONGOING, EcsService
from samjhadoo_ops.deployment.traffic import find_load_balancing, weights
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

_FULL = 100
FIRST = {"blue_weight": "100", "green_weight": "0", "blue_test_weight": "100", "green_test_weight": "0"}
"""The weights of rules that do not exist yet."""


def live_values(aws: Aws, env: Environment) -> dict[str, str]:
    """Return the values of `sources.LIVE` for a service."""
    with aws_errors():
        return {**FIRST, **_weights(aws, env), "service_exists": _text(service_exists(aws, env))}


def service_exists(aws: Aws, env: Environment) -> bool:
    """Return whether the ECS service exists: releases make it, not a stack."""
    try:
        found = _service(aws, env).describe()
    except Exception as error:
        if _code(error) != "ClusterNotFoundException":
            raise
        return False
    return found is not None and found.get("status") == "ACTIVE"


def running_deployment(aws: Aws, env: Environment) -> str:
    """Return the ARN of the service's deployment that is in progress; empty if there is none."""
    try:
        found = _service(aws, env).deployments(statuses=ONGOING, limit=1)
    except Exception as error:
        if _code(error) not in {"ClusterNotFoundException", "ServiceNotFoundException"}:
            raise
        return ""
    return str(found[0]["serviceDeploymentArn"]) if found else ""


def _weights(aws: Aws, env: Environment) -> dict[str, str]:
    """Return the weights of both rules; nothing as long as they do not exist."""
    elbv2 = aws.client("elbv2")
    try:
        balancing = find_load_balancing(elbv2, env)
    except ConfigurationError:
        return {}
    blue, green = balancing.target_groups[0], balancing.target_groups[-1]
    found: dict[str, str] = {}
    for name, rule in (("weight", balancing.production_rule), ("test_weight", balancing.test_rule)):
        shares = weights(elbv2, rule) if rule else {}
        if {blue, green} & shares.keys():
            found[f"blue_{name}"] = _percent(shares, blue)
            found[f"green_{name}"] = _percent(shares, green)
    return found


def _service(aws: Aws, env: Environment) -> EcsService:
    client = aws.client("ecs")
    return EcsService(client, cluster=env.service.cluster, name=env.service.name, sender=client)


def _percent(shares: Mapping[str, float], group: str) -> str:
    return str(round(shares.get(group, 0.0) * _FULL))


def _text(value: bool) -> str:
    return "true" if value else "false"


def _code(error: Any) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
