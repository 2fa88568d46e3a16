"""Why traffic cannot be shifted, in AWS's words (A.7, asynchronous)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from samjhadoo_emulator.ecs.scheduler.balancer import NETWORKING, Balancer, networking_problem
from samjhadoo_emulator.errors import AwsError

SERVICE = SimpleNamespace(
    workload={
        "loadBalancers": [
            {
                "targetGroupArn": "blue",
                "advancedConfiguration": {
                    "alternateTargetGroupArn": "green",
                    "productionListenerRule": "production",
                    "testListenerRule": "test",
                    "roleArn": "role",
                },
            }
        ]
    }
)
BLUE = SimpleNamespace(target_groups=["blue"])
PERMISSIONS = (
    "ECS was unable to manage the ELB resources due to missing permissions on ECS Infrastructure Role"
)


class FakeElb:
    """DescribeRules: what each rule forwards to, or an error."""

    def __init__(self, **rules):
        self.rules = rules

    async def call(self, service, operation, /, **params):
        assert (service, operation) == ("elbv2", "DescribeRules")
        found = self.rules.get(params["RuleArns"][0], AwsError("RuleNotFound", "no rule"))
        if isinstance(found, AwsError):
            raise found
        groups = [{"TargetGroupArn": group, "Weight": weight} for group, weight in found.items()]
        return {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]}]}


@pytest.mark.rule("A.7.async")
@pytest.mark.parametrize(
    ("rules", "text"),
    [
        pytest.param({"production": {"blue": 1}, "test": {"green": 1}}, "", id="as-it-should-be"),
        pytest.param(
            {"production": {"blue": 1}, "test": {"other": 1}},
            "Target group green is not associated with either productionListenerRule or testListenerRule.",
            id="one-not-associated",
        ),
        pytest.param(
            {"production": {"other": 1}, "test": {"other": 1}},
            "Both targetGroup and alternateTargetGroup must be associated with the productionListenerRule or "
            "testListenerRule.",
            id="none-associated",
        ),
        pytest.param(
            {"production": {"blue": 50, "green": 50}, "test": {"green": 1}},
            "productionListenerRule production should have exactly one target group serving traffic but "
            "found 2 target groups which are serving traffic",
            id="two-serving",
        ),
        pytest.param(
            {"production": {"green": 1}, "test": {"blue": 1}},
            "Production listener rule is forwarding traffic to unexpected target group green",
            id="wrong-one-serving",
        ),
        pytest.param({"production": {"blue": 1}}, "One or more rules not found", id="no-rule"),
        pytest.param(
            {"production": AwsError("AccessDenied", "no")}, f"{PERMISSIONS} 'role'.", id="no-permission"
        ),
    ],
)
def test_rule_a7_what_is_wrong_with_the_load_balancer_is_the_reason(rules, text):
    problem = asyncio.run(Balancer(FakeElb(**rules)).problem(SERVICE, BLUE))
    assert problem == (NETWORKING + text if text else "")


@pytest.mark.rule("A.7.async")
def test_rule_a7_a_shift_that_is_not_permitted_names_the_role():
    assert networking_problem(SERVICE, AwsError("AccessDeniedException", "no")).endswith(
        f"{PERMISSIONS} 'role'."
    )
    assert networking_problem(SERVICE, AwsError("ValidationError", "bad")) == NETWORKING + "bad"


def test_a_throttled_load_balancer_is_asked_again():
    throttled = FakeElb(production=AwsError("ThrottlingException", "Rate exceeded"))
    with pytest.raises(AwsError, match="Rate exceeded"):
        asyncio.run(Balancer(throttled).problem(SERVICE, BLUE))
