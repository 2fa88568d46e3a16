from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.deployment.gates import (
    last_deployment,
    nothing_running,
    production_traffic,
    secrets_resolvable,
    service_steady,
    task_definition,
)
from samjhadoo_ops.deployment.gates.finding import State, ok, refused, skipped
from samjhadoo_ops.deployment.gates.ground import Ground
from samjhadoo_ops.deployment.preflight import inspect, lines, refuse_closed
from samjhadoo_ops.deployment.traffic import Listening, rule_weights
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, Refused

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


class Aws:
    """An AWS with one listener rule and one revision."""

    def __init__(self, weights: dict[str, int]) -> None:
        self._weights = weights

    def client(self, service: str) -> Aws:
        return self

    def describe_rules(self, **_: Any) -> dict[str, Any]:
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in self._weights.items()]
        return {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}

    def revisions(self, arns: Any) -> dict[str, Any]:
        return {arn: {"resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": BLUE}]}} for arn in arns}


@pytest.fixture(scope="module")
def env() -> Environment:
    return load_environment("local", variables={})


def ground(env: Environment, **facts: Any) -> Ground:
    aws = facts.pop("aws", Aws({BLUE: 100, GREEN: 0}))
    document = {"containerDefinitions": [{"name": env.service.container}]}
    facts = {
        "service": SERVICE,
        "deployments": [{"serviceDeploymentArn": "d/1", "status": "SUCCESSFUL"}],
        "render": lambda: document,
        **facts,
    }
    return Ground(
        env=env, aws=aws, ecs=aws, listening=Listening("rule", "test", (BLUE, GREEN), "role"), **facts
    )


def brief(*statuses: str) -> list[dict[str, Any]]:
    return [
        {"serviceDeploymentArn": f"d/{number}", "status": status} for number, status in enumerate(statuses)
    ]


@pytest.mark.parametrize(
    ("check", "facts", "state"),
    [
        pytest.param(nothing_running.check, {}, State.OK, id="idle"),
        pytest.param(
            nothing_running.check,
            {"deployments": brief("IN_PROGRESS", "SUCCESSFUL")},
            State.REFUSED,
            id="running",
        ),
        pytest.param(last_deployment.check, {}, State.OK, id="ended-well"),
        pytest.param(
            last_deployment.check,
            {"deployments": brief("ROLLBACK_SUCCESSFUL", "SUCCESSFUL")},
            State.OK,
            id="rolled-back",
        ),
        pytest.param(
            last_deployment.check,
            {"deployments": brief("ROLLBACK_FAILED", "SUCCESSFUL")},
            State.REFUSED,
            id="rollback-failed",
        ),
        pytest.param(
            last_deployment.check,
            {"deployments": brief("ROLLBACK_FAILED")},
            State.SKIPPED,
            id="never-succeeded",
        ),
        pytest.param(service_steady.check, {}, State.OK, id="steady"),
        pytest.param(
            service_steady.check,
            {"service": {**SERVICE, "runningCount": 1}},
            State.REFUSED,
            id="task-missing",
        ),
        pytest.param(
            service_steady.check, {"service": {**SERVICE, "status": "DRAINING"}}, State.REFUSED, id="draining"
        ),
        pytest.param(
            service_steady.check, {"service": None, "deployments": []}, State.SKIPPED, id="no-service-yet"
        ),
        pytest.param(production_traffic.check, {}, State.OK, id="all-on-the-current"),
        pytest.param(
            production_traffic.check,
            {"aws": Aws({BLUE: 999, GREEN: 0})},
            State.OK,
            id="ratios-not-literal-weights",
        ),
        pytest.param(
            production_traffic.check, {"aws": Aws({BLUE: 90, GREEN: 10})}, State.REFUSED, id="shared"
        ),
        pytest.param(
            production_traffic.check,
            {"aws": Aws({BLUE: 90, GREEN: 10}), "deployments": brief("IN_PROGRESS", "SUCCESSFUL")},
            State.SKIPPED,
            id="being-shifted",
        ),
        pytest.param(
            production_traffic.check, {"aws": Aws({BLUE: 0, GREEN: 1})}, State.REFUSED, id="on-the-other"
        ),
        pytest.param(task_definition.check, {}, State.OK, id="renders"),
        pytest.param(
            task_definition.check,
            {"render": lambda: {"containerDefinitions": [{"name": "other"}]}},
            State.REFUSED,
            id="container-missing",
        ),
    ],
)
def test_a_gate_finds(env: Environment, check: Any, facts: dict[str, Any], state: State) -> None:
    finding = check(ground(env, **facts))
    assert finding.state is state, finding
    assert finding.remedy or state is not State.REFUSED


def test_a_task_definition_that_does_not_render_is_refused_with_its_reason(env: Environment) -> None:
    def render() -> dict[str, Any]:
        raise ConfigurationError("task-definition.json:3: no such variable")

    finding = task_definition.check(ground(env, render=render))
    assert finding.state is State.REFUSED
    assert "task-definition.json:3" in finding.reason


def test_every_secret_of_a_task_definition_is_found_and_its_key_left_out() -> None:
    arn = "arn:aws:secretsmanager:r:a:secret:db"
    document = {
        "containerDefinitions": [
            {"secrets": [{"name": "DB", "valueFrom": f"{arn}:password::"}]},
            {"name": "other"},
        ]
    }
    assert [name for name, _ in secrets_resolvable.references(document)] == ["DB"]
    assert secrets_resolvable.secret_id(f"{arn}:password::") == arn


def test_all_gates_are_told_at_once_and_a_closed_one_refuses(env: Environment) -> None:
    gates = {
        "a": lambda _: ok("fine"),
        "b": lambda _: refused("no", remedy="do this"),
        "c": lambda _: skipped("nothing to say"),
    }
    findings = inspect(ground(env), gates)
    with pytest.raises(Refused, match="before anything was changed: b") as refusal:
        refuse_closed(findings)
    assert refusal.value.details == lines(findings)
    assert len(refusal.value.details) == 3
    assert refusal.value.hint == "do this"


def test_weights_are_shares() -> None:
    rule = {
        "Actions": [
            {
                "Type": "forward",
                "ForwardConfig": {
                    "TargetGroups": [
                        {"TargetGroupArn": BLUE, "Weight": 900},
                        {"TargetGroupArn": GREEN, "Weight": 100},
                    ]
                },
            }
        ]
    }
    assert rule_weights(rule) == {BLUE: 0.9, GREEN: 0.1}
    assert rule_weights({"Actions": [{"Type": "forward", "TargetGroupArn": BLUE}]}) == {BLUE: 1.0}
    assert rule_weights({"Actions": [{"Type": "fixed-response"}]}) == {}
