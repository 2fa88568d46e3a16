"""What CreateService and UpdateService refuse at once: ranges (A.2), load balancers (A.7), in AWS's words."""

from __future__ import annotations

import asyncio

import pytest

from samjhadoo_emulator.ecs.service_rules import check_deployment_configuration, check_load_balancers
from samjhadoo_emulator.errors import AwsError

RULE = "arn:aws:elasticloadbalancing:ap-south-1:000000000000:listener-rule/app/a/b/c/"
GROUP = "arn:aws:elasticloadbalancing:ap-south-1:000000000000:targetgroup/"


def pause(**extra):
    return {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], **extra}


def function(**extra):
    return {"hookTargetArn": "arn:f", "lifecycleStages": ["PRE_SCALE_UP"], **extra}


def canary(**members):
    return {"strategy": "CANARY", "canaryConfiguration": members}


def linear(**members):
    return {"strategy": "LINEAR", "linearConfiguration": members}


def threshold(kind, value):
    return {
        "deploymentCircuitBreaker": {
            "enable": True,
            "rollback": True,
            "thresholdConfiguration": {"type": kind, "value": value},
        }
    }


def hooks(*each):
    return {"lifecycleHooks": list(each)}


ACCEPTED = [
    canary(canaryPercent=0.1, canaryBakeTimeInMinutes=0),
    canary(canaryPercent=33.3, canaryBakeTimeInMinutes=1440),
    canary(canaryPercent=100.0),
    linear(stepPercent=3.0, stepBakeTimeInMinutes=0),
    linear(stepPercent=100.0, stepBakeTimeInMinutes=1440),
    {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 0},
    {
        "strategy": "BLUE_GREEN",
        "bakeTimeInMinutes": 1440,
        "maximumPercent": 200,
        "minimumHealthyPercent": 100,
    },
    hooks(*[pause()] * 10, *[function()] * 10),
    hooks(pause(timeoutConfiguration={"timeoutInMinutes": 20160, "action": "CONTINUE"})),
    hooks(function(lifecycleStages=["TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"])),
    hooks(pause(lifecycleStages=["RECONCILE_SERVICE"])),
    threshold("COUNT", 5),
    threshold("UNBOUNDED_PERCENT", 100),
]
REFUSED = [
    (canary(canaryPercent=0.0), "canaryPercent must be a multiple of 0.1 from 0.1 to 100.0."),
    (canary(canaryPercent=100.1), "canaryPercent must be a multiple of 0.1 from 0.1 to 100.0."),
    (canary(canaryPercent=10.05), "canaryPercent must be a multiple of 0.1 from 0.1 to 100.0."),
    (canary(canaryBakeTimeInMinutes=1441), "canaryBakeTimeInMinutes must be between 0 and 1440."),
    (linear(stepPercent=2.9), "stepPercent must be a multiple of 0.1 from 3.0 to 100.0."),
    (linear(stepBakeTimeInMinutes=-1), "stepBakeTimeInMinutes must be between 0 and 1440."),
    ({"bakeTimeInMinutes": 1441}, "bakeTimeInMinutes must be between 0 and 1440."),
    ({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required when the deployment strategy is BLUE_GREEN."),
    (
        {"strategy": "SURGE"},
        "Invalid deployment strategy. Valid values are: ROLLING, BLUE_GREEN, LINEAR, CANARY",
    ),
    (threshold("COUNT", 0), "The value of a threshold of type COUNT must be at least 1."),
    (
        threshold("UNBOUNDED_PERCENT", 101),
        "The value of a threshold of type UNBOUNDED_PERCENT must be between 1 and 100.",
    ),
    (hooks(*[pause()] * 11), "A service can have at most 10 PAUSE lifecycle hooks."),
    (hooks(*[function()] * 11), "A service can have at most 10 AWS_LAMBDA lifecycle hooks."),
    (hooks({"targetType": "WAIT"}), "Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE"),
    *(
        (hooks(pause(lifecycleStages=[stage])), "Invalid lifecycle stage provided for Pause Hook")
        for stage in ("TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT", "SCALE_UP", "BAKE_TIME", "CLEAN_UP")
    ),
    *(
        (hooks(function(lifecycleStages=[stage])), "Invalid lifecycle stage provided for Lambda Hook")
        for stage in ("SCALE_UP", "BAKE_TIME", "CLEAN_UP")
    ),
    (
        hooks(pause(timeoutConfiguration={"timeoutInMinutes": 20161})),
        "timeoutInMinutes must be between 1 and 20160.",
    ),
    (
        hooks(pause(timeoutConfiguration={"timeoutInMinutes": 0})),
        "timeoutInMinutes must be between 1 and 20160.",
    ),
    (
        hooks(function(timeoutConfiguration={"timeoutInMinutes": 1441})),
        "timeoutInMinutes must be between 1 and 1440.",
    ),
    (
        hooks(pause(timeoutConfiguration={"action": "WAIT"})),
        "Invalid timeout action. Valid values are: ROLLBACK, CONTINUE",
    ),
]


@pytest.mark.rule("A.2.ranges", "A.2.hooks", "A.3.hook-stages")
@pytest.mark.parametrize("configuration", ACCEPTED)
def test_what_is_within_its_range_is_accepted(configuration):
    check_deployment_configuration(configuration, [])


@pytest.mark.rule("A.2.ranges", "A.2.hooks", "A.3.hook-stages", "A.7.sync")
@pytest.mark.parametrize(("configuration", "message"), REFUSED)
def test_what_is_beyond_its_range_is_refused(configuration, message):
    with pytest.raises(AwsError) as caught:
        check_deployment_configuration(configuration, [])
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", message)


class FakeElb:
    """Target groups that all exist, and rules that forward to the first group only."""

    async def call(self, service, operation, /, **params):
        if operation == "DescribeTargetGroups":
            return {"TargetGroups": [{"LoadBalancerArns": ["lb"]}]}
        group = {"TargetGroupArn": f"{GROUP}a", "Weight": 1}
        return {"Rules": [{"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": [group]}}]}]}


def balancer(group="a", other="b", production=f"{RULE}p", test=f"{RULE}t"):
    advanced = {
        "alternateTargetGroupArn": GROUP + other,
        "productionListenerRule": production,
        "roleArn": "r",
    }
    if test:
        advanced["testListenerRule"] = test
    return {"targetGroupArn": GROUP + group, "advancedConfiguration": advanced}


PLAIN = {"targetGroupArn": f"{GROUP}c"}
CLASSIC = {"loadBalancerName": "old"}


@pytest.mark.rule("A.7.sync")
@pytest.mark.parametrize(
    ("balancers", "message"),
    [
        pytest.param(
            [balancer(production="arn:aws:x")],
            "productionListenerRule has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for "
            "NLB. Got: arn:aws:x",
            id="no-rule",
        ),
        pytest.param(
            [balancer(test=f"{RULE}p")],
            f"The following rules cannot be used as both production and test listener rules: {RULE}p",
            id="one-rule-for-both",
        ),
        pytest.param(
            [balancer(), balancer("c", "d", production=f"{RULE}t", test=f"{RULE}x")],
            f"The following rules cannot be used as both production and test listener rules: {RULE}t",
            id="one-rule-for-both-of-two-balancers",
        ),
        pytest.param(
            [balancer(test=None)],
            "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not "
            "associated with both targetGroup and alternateTargetGroup",
            id="no-test-rule",
        ),
        pytest.param(
            [balancer(other="a")], f"Duplicate targetGroupArn found: {GROUP}a", id="one-group-twice"
        ),
        pytest.param(
            [CLASSIC, PLAIN],
            "All loadBalancers must be strictly either ELBv1 (defining loadBalancerName) or ELBv2 (defining "
            "targetGroupArn)",
            id="classic-and-not",
        ),
        pytest.param(
            [CLASSIC | {"advancedConfiguration": {"roleArn": "r"}}],
            "advancedConfiguration field is not allowed with ELBv1 loadBalancers",
            id="classic-with-advanced",
        ),
        pytest.param(
            [balancer(), PLAIN],
            "Either all or none of the provided loadBalancers must have advancedConfiguration defined",
            id="some-advanced",
        ),
        pytest.param(
            [PLAIN],
            "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING "
            "deployment strategy",
            id="none-advanced",
        ),
    ],
)
def test_load_balancers_are_refused_word_for_word(balancers, message):
    async def check():
        if not any("loadBalancerName" in each for each in balancers):
            check_deployment_configuration({"strategy": "CANARY"}, balancers)
        await check_load_balancers(FakeElb(), balancers, strategy="CANARY")

    with pytest.raises(AwsError) as caught:
        asyncio.run(check())
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", message)
