"""Scaling policies and their alarms: put, describe, delete."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling import validation
from samjhadoo_emulator.autoscaling.base import exceeded, filtered, no_policy
from samjhadoo_emulator.autoscaling.model import STEP, TRACKING, Policy, ScalableTarget
from samjhadoo_emulator.autoscaling.targets import ScalableTargets
from samjhadoo_emulator.autoscaling.validation import REQUESTS, UTILIZATION, labelled
from samjhadoo_emulator.errors import AwsError, validation_exception
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

HIGH_PERIODS, LOW_PERIODS = 3, 15
PERIOD = 60
LOW_PART = 0.9


def tracking_alarms(target: ScalableTarget, policy: Policy) -> dict[str, dict[str, Any]]:
    """Return the parameters of PutMetricAlarm for each alarm of a policy, by `high` and `low`."""
    goal = float(policy.configuration["TargetValue"])
    high = {
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": goal,
        "EvaluationPeriods": HIGH_PERIODS,
    }
    alarms = {"high": {**_alarm(target, policy, "AlarmHigh"), **high}}
    if not policy.configuration.get("DisableScaleIn"):
        low = {
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": round(goal * LOW_PART, 10),
            "EvaluationPeriods": LOW_PERIODS,
        }
        alarms["low"] = {**_alarm(target, policy, "AlarmLow"), **low}
    return alarms


def _alarm(target: ScalableTarget, policy: Policy, kind: str) -> dict[str, Any]:
    action = f"{policy.arn}:createdBy/{policy.creator}"
    return {
        "AlarmName": f"TargetTracking-{target.resource}-{kind}-{uuid.uuid4()}",
        "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {action}.",
        "ActionsEnabled": True,
        "AlarmActions": [action],
        **_watched(target, policy.configuration),
    }


def _watched(target: ScalableTarget, configuration: dict[str, Any]) -> dict[str, Any]:
    """Return the members of PutMetricAlarm that name what is watched."""
    customized = configuration.get("CustomizedMetricSpecification")
    if customized:
        return _customized(customized)
    predefined = configuration["PredefinedMetricSpecification"]
    if predefined["PredefinedMetricType"] == REQUESTS:
        balancer, group = labelled(predefined["ResourceLabel"]) or ("", "")
        return {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": "RequestCountPerTarget",
            "Dimensions": _dimensions(LoadBalancer=balancer, TargetGroup=group),
            "Statistic": "Sum",
            "Unit": "None",
            "Period": PERIOD,
        }
    return {
        "Namespace": "AWS/ECS",
        "MetricName": UTILIZATION[predefined["PredefinedMetricType"]],
        "Dimensions": _dimensions(ClusterName=target.cluster, ServiceName=target.service),
        "Statistic": "Average",
        "Unit": "Percent",
        "Period": PERIOD,
    }


def _customized(metric: dict[str, Any]) -> dict[str, Any]:
    if not metric.get("Metrics"):
        return {**metric, "Dimensions": metric.get("Dimensions") or [], "Period": PERIOD}
    queries = []
    for query in metric["Metrics"]:
        each = {key: value for key, value in query.items() if key != "MetricStat"}
        if query.get("MetricStat"):
            each["MetricStat"] = {**query["MetricStat"], "Period": PERIOD}
        queries.append(each)
    return {"Metrics": queries}


def _dimensions(**values: str) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in values.items()]


MOST_POLICIES = 50
CONFIGURATIONS = {
    STEP: "StepScalingPolicyConfiguration",
    TRACKING: "TargetTrackingScalingPolicyConfiguration",
}


class Policies(ScalableTargets):
    """The policies of each target."""

    @operation("PutScalingPolicy")
    async def put_scaling_policy(self, params: Params) -> Result:
        target, name = self.target(params), params["PolicyName"]
        known = target.policies.get(name)
        policy = self._policy(target, params, known)
        if known is None and len(target.policies) >= MOST_POLICIES:
            raise exceeded(f"A scalable target can have at most {MOST_POLICIES} scaling policies.")
        if policy.type == TRACKING:
            await self._check_target_group(target, policy.configuration)
            await self._watch(target, policy)
            if known:
                await self.drop_alarms(known.alarms)
        target.policies[name] = policy
        return {"PolicyARN": policy.arn, "Alarms": self._alarms(policy.alarms)}

    @operation("DescribeScalingPolicies")
    async def describe_scaling_policies(self, params: Params) -> Result:
        resource, names = filtered(params), params.get("PolicyNames") or []
        found = [
            (target, policy)
            for each, target in sorted(self.targets.items())
            if not resource or each == resource
            for _, policy in sorted(target.policies.items())
            if not names or policy.name in names or policy.arn in names
        ]
        shown, more = AUTOSCALING.page(found, params)
        return {"ScalingPolicies": [await self._view(*each) for each in shown], **more}

    @operation("DeleteScalingPolicy")
    async def delete_scaling_policy(self, params: Params) -> Result:
        target, name = self.target(params), params["PolicyName"]
        policy = target.policies.pop(name, None)
        if policy is None:
            raise no_policy(target.resource, name)
        await self.drop_alarms(policy.alarms)
        return {}

    @operation("GetPredictiveScalingForecast")
    async def get_predictive_scaling_forecast(self, params: Params) -> Result:
        del params
        raise validation_exception("Predictive scaling is not supported by this emulator")

    def _policy(self, target: ScalableTarget, params: Params, known: Policy | None) -> Policy:
        """Return a policy, new or updated; the ARN and the time of creation stay."""
        kind: str = params.get("PolicyType") or (known.type if known else STEP)
        if kind not in CONFIGURATIONS:
            raise validation_exception("Predictive scaling is not supported by this emulator")
        if known and kind != known.type:
            raise validation_exception("The policy type of an existing policy cannot be changed")
        given, before = params.get(CONFIGURATIONS[kind]), known.configuration if known else None
        if kind == STEP:
            configuration = validation.steps(given, before)
        else:
            configuration = validation.tracking(given, before)
            others = [each for each in target.policies.values() if each is not known and each.type == kind]
            validation.check_unique(configuration, others)
        name = params["PolicyName"]
        arn = self.arn_of("scalingPolicy", str(uuid.uuid4()), target.resource, f"policyName/{name}")
        return Policy(
            name,
            known.arn if known else arn,
            kind,
            configuration,
            known.created_at if known else self.clock.now(),
            creator=known.creator if known else str(uuid.uuid4()),
        )

    async def _check_target_group(self, target: ScalableTarget, configuration: dict[str, Any]) -> None:
        """Refuse to track the requests of a target group that the service does not use."""
        metric = configuration.get("PredefinedMetricSpecification") or {}
        if metric.get("PredefinedMetricType") != validation.REQUESTS:
            return
        _, group = validation.labelled(metric["ResourceLabel"]) or ("", "")
        used = [
            arn
            for balancer in (await self.ecs_service(target)).get("loadBalancers") or []
            for arn in (
                balancer.get("targetGroupArn", ""),
                (balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn", ""),
            )
        ]
        if not any(arn.endswith(f":{group}") for arn in used):
            raise validation_exception(f"Target group {group} is not attached to resource {target.resource}")

    async def _watch(self, target: ScalableTarget, policy: Policy) -> None:
        """Put the alarms of a policy; each update gives them new names."""
        for kind, alarm in tracking_alarms(target, policy).items():
            try:
                await self.aws.call("cloudwatch", "PutMetricAlarm", **alarm)
            except AwsError as error:
                await self.drop_alarms(policy.alarms)
                raise AwsError("FailedResourceAccessException", error.message) from error
            setattr(policy, kind, alarm["AlarmName"])

    def _alarms(self, names: list[str]) -> list[dict[str, str]]:
        prefix = f"{self.home('cloudwatch').prefix}alarm"
        return [{"AlarmName": name, "AlarmARN": f"{prefix}:{name}"} for name in names]

    async def _view(self, target: ScalableTarget, policy: Policy) -> dict[str, Any]:
        """Return botocore's `ScalingPolicy`, with the alarms that execute it."""
        names = policy.alarms
        if policy.type == STEP:
            answer = await self.aws.call("cloudwatch", "DescribeAlarms", ActionPrefix=policy.arn)
            names = [alarm["AlarmName"] for alarm in answer["MetricAlarms"]]
        return {
            "PolicyARN": policy.arn,
            "PolicyName": policy.name,
            **target.key(),
            "PolicyType": policy.type,
            CONFIGURATIONS[policy.type]: policy.configuration,
            "Alarms": self._alarms(names),
            "CreationTime": policy.created_at,
        }
