"""Finding the rule of a listener that ECS rewrites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from samjhadoo_ops.deployment.traffic import find_load_balancing
from samjhadoo_ops.environment import load_environment

ROOT = Path(__file__).resolve().parents[2]


def forward(*groups: str) -> list[dict[str, Any]]:
    targets = [{"TargetGroupArn": f"arn:{name}", "Weight": 1} for name in groups]
    return [{"Type": "forward", "ForwardConfig": {"TargetGroups": targets}}]


def rule(name: str, actions: list[dict[str, Any]]) -> dict[str, Any]:
    return {"RuleArn": name, "IsDefault": name == "default", "Actions": actions}


NOT_FOUND = rule("default", [{"Type": "fixed-response"}])
OWN = rule("own", forward("samjhadoo-blue", "samjhadoo-green"))
OTHER = rule("other", forward("another"))


class Elbv2:
    """A load balancer whose listeners have these rules."""

    def __init__(self, rules: list[dict[str, Any]]) -> None:
        self.rules = rules

    def describe_load_balancers(self, **_: Any) -> dict[str, Any]:
        return {"LoadBalancers": [{"LoadBalancerArn": "arn:balancer"}]}

    def describe_listeners(self, **_: Any) -> dict[str, Any]:
        return {"Listeners": [{"Port": port, "ListenerArn": f"arn:{port}"} for port in (8080, 8081)]}

    def describe_target_groups(self, **request: Any) -> dict[str, Any]:
        return {"TargetGroups": [{"TargetGroupArn": f"arn:{name}"} for name in request["Names"]]}

    def describe_rules(self, **_: Any) -> dict[str, Any]:
        return {"Rules": self.rules}


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        pytest.param([OWN, NOT_FOUND], "own", id="the templates' rule"),
        pytest.param([OTHER, OWN, NOT_FOUND], "own", id="beside another's"),
        pytest.param([OTHER, rule("default", forward("samjhadoo-blue"))], "default", id="the default rule"),
        pytest.param([OTHER, NOT_FOUND], "default", id="none forwards yet"),
    ],
)
def test_the_rule_is_the_one_that_forwards_to_the_services_groups(
    rules: list[dict[str, Any]], found: str
) -> None:
    env = load_environment("local", root=ROOT, variables={})
    load_balancing = find_load_balancing(Elbv2(rules), env)
    assert (load_balancing.production_rule, load_balancing.test_rule) == (found, found)
