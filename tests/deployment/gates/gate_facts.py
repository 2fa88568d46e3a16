"""Facts for gates: a service that is as it should be, to be spoilt by each test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.deployment.gates.gate import Facts
from samjhadoo_ops.deployment.traffic import LoadBalancing
from samjhadoo_ops.release import Identity

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

GROUP = "arn:aws:elasticloadbalancing:r:a:targetgroup/{}/1"
BLUE, GREEN = GROUP.format("blue"), GROUP.format("green")
SERVICE: dict[str, Any] = {
    "status": "ACTIVE",
    "runningCount": 2,
    "desiredCount": 2,
    "pendingCount": 0,
    "currentServiceRevisions": [{"arn": "r/1"}],
}
ROLE = "arn:aws:iam::1:role/infrastructure"
LOAD_BALANCING = LoadBalancing("l/app/alb/1/2/production", "l/app/alb/1/3/test", (BLUE, GREEN), ROLE)


def rule(arn: str, weights: dict[str, int], **config: Any) -> dict[str, Any]:
    """Return a rule that forwards by weights."""
    groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in weights.items()]
    forward = {"TargetGroups": groups, **config}
    return {"RuleArn": arn, "Actions": [{"Type": "forward", "ForwardConfig": forward}]}


def rules(production: dict[str, int], test: dict[str, int] | None = None, **config: Any) -> dict[str, Any]:
    """Return both rules by ARN."""
    return {
        LOAD_BALANCING.production_rule: rule(LOAD_BALANCING.production_rule, production, **config),
        LOAD_BALANCING.test_rule: rule(LOAD_BALANCING.test_rule, test or {GREEN: 1}),
    }


def brief(*statuses: str) -> list[dict[str, Any]]:
    """Return service deployments of these statuses, the newest first."""
    return [
        {"serviceDeploymentArn": f"d/{number}", "status": status} for number, status in enumerate(statuses)
    ]


def facts_of(env: Environment, **facts: Any) -> Facts:
    """Return the facts of a service in order, but for those that are given."""
    document = {"containerDefinitions": [{"name": env.service.container}]}
    revision = {
        "taskDefinition": "t/backend:1",
        "resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": BLUE}]},
    }
    return Facts(
        **{
            "env": env,
            "aws": SimpleNamespace(),
            "ecs": SimpleNamespace(),
            "load_balancing": LOAD_BALANCING,
            "service": SERVICE,
            "deployments": brief("SUCCESSFUL"),
            "render": lambda: document,
            "source": lambda: Identity("abc", "abc"),
            "revisions": {"r/1": revision},
            "rules": rules({BLUE: 100, GREEN: 0}),
            **facts,
        }
    )


def with_settings(env: Environment, path: str, **values: Any) -> Environment:
    """Return an environment with other settings in the section that the path names."""

    def changed(node: Any, parts: list[str]) -> Any:
        if not parts:
            return msgspec.structs.replace(node, **values)
        return msgspec.structs.replace(node, **{parts[0]: changed(getattr(node, parts[0]), parts[1:])})

    result: Environment = changed(env, path.split("."))
    return result
