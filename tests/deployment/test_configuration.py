from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.session import Session
from botocore.validate import ParamValidator
from msgspec.structs import replace

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.configuration import (
    all_at_once_configuration,
    deployment_configuration,
    load_balancers,
    minutes,
    rollout_policy,
    service_settings,
)
from samjhadoo_ops.deployment.differences import service_differences
from samjhadoo_ops.deployment.rollout import creation
from samjhadoo_ops.deployment.traffic import LoadBalancing
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

LISTENING = LoadBalancing("rule/production", "rule/test", ("tg/blue", "tg/green"), "role", ("subnet-1",))


@pytest.mark.parametrize("name", ["local", "staging", "production"])
def test_a_canary_deployment_is_requested_as_the_deployment_plan_wants_it(name: str) -> None:
    configuration = deployment_configuration(load_environment(name, variables={}))
    assert configuration["strategy"] == "CANARY"
    assert configuration["canaryConfiguration"] == {"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 15}
    assert configuration["bakeTimeInMinutes"] == 60
    assert configuration["deploymentCircuitBreaker"]["thresholdConfiguration"] == {
        "type": "COUNT",
        "value": 5,
    }
    assert [hook["lifecycleStages"] for hook in configuration["lifecycleHooks"]] == [
        ["POST_TEST_TRAFFIC_SHIFT"],
        ["PRE_PRODUCTION_TRAFFIC_SHIFT"],
    ]
    assert {hook["timeoutConfiguration"]["action"] for hook in configuration["lifecycleHooks"]} == {
        "ROLLBACK"
    }


def test_a_deployment_all_at_once_neither_pauses_nor_bakes() -> None:
    configuration = all_at_once_configuration(load_environment("local", variables={}))
    assert configuration["lifecycleHooks"] == []
    assert configuration["bakeTimeInMinutes"] == 0
    assert configuration["canaryConfiguration"]["canaryBakeTimeInMinutes"] == 0


def test_the_request_that_creates_the_service_is_one_aws_knows() -> None:
    env = load_environment("production", variables={})
    request = creation(env, "family:1", LISTENING, all_at_once_configuration(env))
    shape = Session().get_service_model("ecs").operation_model("CreateService").input_shape
    report = ParamValidator().validate({"cluster": "c", "serviceName": "s", **request}, shape)
    assert report.generate_report() == ""
    assert request["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == env.service.subnets


def test_without_subnets_tasks_run_where_the_load_balancer_is() -> None:
    env = load_environment("local", variables={})
    request = creation(env, "family:1", LISTENING, all_at_once_configuration(env))
    assert request["networkConfiguration"]["awsvpcConfiguration"]["subnets"] == ["subnet-1"]


def test_every_wait_has_a_deadline_longer_than_what_it_waits_for() -> None:
    env = load_environment("production", variables={})
    policy = rollout_policy(env, real=Clock().real(1.0))
    assert policy.healthy_within == 15 * 60
    assert policy.ends_within > policy.healthy_within + env.deployment.canary_time + env.deployment.bake_time
    assert policy.patience == 300.0


def test_patience_with_a_local_stack_is_ten_real_seconds() -> None:
    env = load_environment("local", variables={})
    assert rollout_policy(env, real=Clock(minute=env.clock.minute).real(1.0)).patience == 10.0


def test_minutes_are_rounded_up() -> None:
    assert [minutes(seconds) for seconds in (0, 1, 60, 61)] == [0, 1, 1, 2]


def test_a_rolling_deployment_has_neither_shares_of_traffic_nor_pauses() -> None:
    env = load_environment("local", variables={"SAMJHADOO_DEPLOYMENT__STRATEGY": "ROLLING"})
    configuration = deployment_configuration(env)
    assert configuration["strategy"] == "ROLLING"
    assert configuration["lifecycleHooks"] == []
    assert not {"canaryConfiguration", "bakeTimeInMinutes"} & configuration.keys()
    assert configuration["deploymentCircuitBreaker"]["rollback"] is True


def present(**changes: Any) -> dict[str, Any]:
    """Return production's service as the settings want it, but for some members."""
    network = {"subnets": ["s-b", "s-a"], "securityGroups": ["sg-1"], "assignPublicIp": "ENABLED"}
    return {
        "desiredCount": 4,
        "healthCheckGracePeriodSeconds": 60,
        "networkConfiguration": {"awsvpcConfiguration": {**network, **changes.pop("network", {})}},
        **changes,
    }


@pytest.mark.parametrize(
    ("service", "scaled", "differences"),
    [
        pytest.param(present(), False, [], id="as-the-settings-are"),
        pytest.param(present(desiredCount=2), False, ["~ desiredCount: 2 -> 4"], id="number-of-tasks"),
        pytest.param(present(desiredCount=9), True, [], id="auto-scaling-decides"),
        pytest.param(
            present(healthCheckGracePeriodSeconds=0),
            False,
            ["+ healthCheckGracePeriodSeconds: 60"],
            id="grace-period",
        ),
        pytest.param(
            present(network={"subnets": ["s-a", "s-c"]}),
            False,
            ['~ networkConfiguration.awsvpcConfiguration.subnets: ["s-a", "s-c"] -> ["s-a", "s-b"]'],
            id="subnets",
        ),
        pytest.param(
            present(network={"securityGroups": []}),
            False,
            ['+ networkConfiguration.awsvpcConfiguration.securityGroups: ["sg-1"]'],
            id="security-groups",
        ),
        pytest.param(present(network={"assignPublicIp": "DISABLED"}), False, [], id="what-no-setting-names"),
    ],
)
def test_what_a_service_differs_in_from_the_settings_is_found(
    service: dict[str, Any], scaled: bool, differences: list[str]
) -> None:
    env = with_service(subnets=["s-a", "s-b"], security_groups=["sg-1"])
    wanted = service_settings(env, service, scaled=scaled)
    assert [str(each) for each in service_differences(service, wanted)] == differences
    shape = Session().get_service_model("ecs").operation_model("UpdateService").input_shape
    assert ParamValidator().validate({"service": "s", **wanted}, shape).generate_report() == ""


def test_a_network_that_the_settings_do_not_name_stays() -> None:
    service = present()
    wanted = service_settings(with_service(subnets=[], security_groups=[]), service, scaled=False)
    assert wanted["networkConfiguration"] == service["networkConfiguration"]


def with_service(**values: Any) -> Environment:
    env = load_environment("production", variables={})
    return replace(env, service=replace(env.service, **values))


def test_a_rolling_service_with_one_target_group_is_created_without_what_a_canary_needs() -> None:
    settings = {
        "SAMJHADOO_DEPLOYMENT__STRATEGY": "ROLLING",
        "SAMJHADOO_SERVICE__TARGET_GROUPS": '["samjhadoo-blue"]',
    }
    env = load_environment("local", variables=settings)
    one = LoadBalancing("rule/production", "", ("tg/blue",), "role")
    assert load_balancers(env, one) == [
        {"containerName": "backend", "containerPort": 8080, "targetGroupArn": "tg/blue"}
    ]
    (two,) = load_balancers(env, LISTENING)
    assert two["advancedConfiguration"]["alternateTargetGroupArn"] == "tg/green"
