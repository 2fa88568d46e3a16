from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from gate_facts import BLUE, GREEN, LOAD_BALANCING, SERVICE, brief, facts_of, rule, rules

from samjhadoo_ops.deployment.gates import access, capacity, service, traffic
from samjhadoo_ops.deployment.gates.gate import State
from samjhadoo_ops.deployment.traffic import rule_weights
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

STICKY = {"TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}


@pytest.mark.parametrize(
    ("check", "facts", "state"),
    [
        pytest.param(service.no_deployment, {}, State.OK, id="idle"),
        pytest.param(
            service.no_deployment,
            {"deployments": brief("IN_PROGRESS", "SUCCESSFUL")},
            State.REFUSED,
            id="running",
        ),
        pytest.param(service.last_deployment, {}, State.OK, id="ended-well"),
        pytest.param(
            service.last_deployment,
            {"deployments": brief("ROLLBACK_SUCCESSFUL", "SUCCESSFUL")},
            State.OK,
            id="rolled-back",
        ),
        pytest.param(
            service.last_deployment,
            {"deployments": brief("ROLLBACK_FAILED", "SUCCESSFUL")},
            State.REFUSED,
            id="rollback-failed",
        ),
        pytest.param(
            service.last_deployment,
            {"deployments": brief("ROLLBACK_FAILED")},
            State.SKIPPED,
            id="never-succeeded",
        ),
        pytest.param(service.service_steady, {}, State.OK, id="steady"),
        pytest.param(
            service.service_steady,
            {"service": {**SERVICE, "runningCount": 1}},
            State.REFUSED,
            id="task-missing",
        ),
        pytest.param(
            service.service_steady,
            {"service": {**SERVICE, "status": "DRAINING"}},
            State.REFUSED,
            id="draining",
        ),
        pytest.param(
            service.service_steady, {"service": None, "deployments": []}, State.SKIPPED, id="no-service-yet"
        ),
        pytest.param(traffic.production_traffic, {}, State.OK, id="all-on-the-current"),
        pytest.param(
            traffic.production_traffic,
            {"rules": rules({BLUE: 999, GREEN: 0})},
            State.OK,
            id="ratios-not-literal-weights",
        ),
        pytest.param(
            traffic.production_traffic, {"rules": rules({BLUE: 90, GREEN: 10})}, State.REFUSED, id="shared"
        ),
        pytest.param(
            traffic.production_traffic,
            {"rules": rules({BLUE: 90, GREEN: 10}), "deployments": brief("IN_PROGRESS", "SUCCESSFUL")},
            State.SKIPPED,
            id="being-shifted",
        ),
        pytest.param(
            traffic.production_traffic,
            {"rules": rules({BLUE: 0, GREEN: 1})},
            State.REFUSED,
            id="on-the-other",
        ),
        pytest.param(traffic.stickiness, {}, State.OK, id="not-sticky"),
        pytest.param(
            traffic.stickiness, {"rules": rules({BLUE: 1, GREEN: 0}, **STICKY)}, State.REFUSED, id="sticky"
        ),
        pytest.param(traffic.test_rule, {}, State.OK, id="test-rule"),
        pytest.param(
            traffic.test_rule,
            {"rules": {LOAD_BALANCING.production_rule: rule("p", {BLUE: 1})}},
            State.REFUSED,
            id="no-test-rule",
        ),
        pytest.param(traffic.test_rule, {"rules": rules({BLUE: 1}, {GREEN: 1})}, State.OK, id="one-each"),
        pytest.param(
            traffic.test_rule,
            {"rules": rules({BLUE: 1}, {BLUE: 1})},
            State.REFUSED,
            id="no-rule-has-the-other-target-group",
        ),
        pytest.param(
            traffic.test_rule,
            {"rules": rules({BLUE: 1}, {"arn:other": 1})},
            State.REFUSED,
            id="test-rule-of-somebody-else",
        ),
        pytest.param(access.lock, {}, State.OK, id="lock-free"),
        pytest.param(access.lock, {"lock_owner": lambda: "asha@host"}, State.REFUSED, id="lock-held"),
    ],
)
def test_a_gate_returns_the_state_for_its_facts(
    env: Environment, check: Any, facts: dict[str, Any], state: State
) -> None:
    finding = check(facts_of(env, **facts))
    assert finding.state is state, finding
    assert finding.remedy or state is not State.REFUSED


def test_another_account_is_refused(env: Environment) -> None:
    def guard() -> str:
        raise Refused("these credentials belong to account 1", hint="use others")

    finding = access.identity(facts_of(env, aws=SimpleNamespace(account_guard=guard)))
    assert (finding.state, finding.remedy) == (State.REFUSED, "use others")


def test_a_secret_named_without_its_arn_is_refused(env: Environment) -> None:
    def get_parameter(**_: str) -> dict[str, Any]:
        # SSM's words for a name with colons.
        raise ClientError({"Error": {"Code": "ValidationException", "Message": "…"}}, "GetParameter")

    secret = {"name": "DB", "valueFrom": "shop/database:host::"}
    document = {"containerDefinitions": [{"name": "backend", "secrets": [secret]}]}
    ssm = SimpleNamespace(client=lambda _: SimpleNamespace(get_parameter=get_parameter))
    found = access.secrets(facts_of(env, aws=ssm, render=lambda: document))

    assert found.state == State.REFUSED
    assert "a secret needs its full ARN" in found.reason


@pytest.mark.parametrize(
    ("states", "state", "said"),
    [
        pytest.param({"a": "OK", "b": "INSUFFICIENT_DATA"}, State.OK, "2 quiet", id="quiet"),
        pytest.param({"a": "OK", "b": "ALARM"}, State.REFUSED, "b is firing", id="firing"),
        pytest.param({"a": "OK"}, State.REFUSED, "no alarm b", id="missing"),
    ],
)
def test_alarms_must_exist_and_be_quiet(states: dict[str, str], state: State, said: str) -> None:
    finding = service.decide_alarms(["a", "b"], states)
    assert finding.state is state
    assert said in finding.reason


@pytest.mark.parametrize(
    ("free", "state"),
    [
        pytest.param({"subnet-1": 3, "subnet-2": 1}, State.OK, id="enough"),
        pytest.param({"subnet-1": 4, "subnet-2": 0}, State.OK, id="one-is-full"),
        pytest.param({"subnet-1": 2, "subnet-2": 1}, State.REFUSED, id="too-few"),
    ],
)
def test_every_new_task_needs_an_address(free: dict[str, int], state: State) -> None:
    assert capacity.decide_addresses(free, tasks=4).state is state


@pytest.mark.parametrize(
    ("limit", "used", "state"),
    [
        pytest.param(32.0, 16.0, State.OK, id="just-enough"),
        pytest.param(32.0, 16.25, State.REFUSED, id="a-quarter-too-few"),
        pytest.param(8.0, None, State.REFUSED, id="never-enough"),
        pytest.param(64.0, None, State.UNKNOWN, id="usage-unknown"),
    ],
)
def test_the_account_needs_room_for_all_tasks_twice(limit: float, used: float | None, state: State) -> None:
    assert capacity.decide_vcpus(limit=limit, used=used, needed=16.0).state is state


def test_weights_are_shares() -> None:
    assert rule_weights(rule("r", {BLUE: 900, GREEN: 100})) == {BLUE: 0.9, GREEN: 0.1}
    assert rule_weights({"Actions": [{"Type": "forward", "TargetGroupArn": BLUE}]}) == {BLUE: 1.0}
    assert rule_weights({"Actions": [{"Type": "fixed-response"}]}) == {}
