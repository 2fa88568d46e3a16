"""What PutScalingPolicy refuses, and what alarms a policy gets."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from samjhadoo_emulator.autoscaling import validation
from samjhadoo_emulator.autoscaling.model import Policy, ScalableTarget
from samjhadoo_emulator.autoscaling.policies import tracking_alarms
from samjhadoo_emulator.errors import AwsError

LABEL = "app/lb/50dc6c495c0c9188/targetgroup/tg/943f017f100becff"


def predefined(kind="ECSServiceAverageCPUUtilization", **more):
    return {"PredefinedMetricType": kind, **more}


def interval(low=None, high=None, adjustment=1):
    bounds = {"MetricIntervalLowerBound": low, "MetricIntervalUpperBound": high}
    return {
        "ScalingAdjustment": adjustment,
        **{name: each for name, each in bounds.items() if each is not None},
    }


@pytest.mark.parametrize(
    ("intervals", "text"),
    [
        ([], "At least one StepAdjustment"),
        ([interval()], "At least one bound"),
        ([interval(5.0, 5.0)], "greater than its lower bound"),
        ([interval(0.0, 10.0), interval(5.0)], "overlap"),
        ([interval(0.0, 10.0), interval(15.0)], "gap"),
        ([interval(0.0, 10.0)], "without an upper bound"),
        ([interval(-10.0, 0.0)], "without a lower bound"),
        ([interval(float(each), float(each + 1)) for each in range(21)], "at most 20"),
    ],
)
def test_steps_cover_the_line_without_gaps_or_overlaps(intervals, text):
    with pytest.raises(AwsError, match=text) as refused:
        validation.steps({"AdjustmentType": "ChangeInCapacity", "StepAdjustments": intervals}, None)
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"StepAdjustments": [interval(0.0)]}, "AdjustmentType"),
        (
            {
                "AdjustmentType": "ChangeInCapacity",
                "StepAdjustments": [interval(0.0)],
                "MinAdjustmentMagnitude": 1,
            },
            "MinAdjustmentMagnitude",
        ),
        (
            {"AdjustmentType": "ExactCapacity", "StepAdjustments": [interval(0.0, adjustment=-1)]},
            "cannot be negative",
        ),
        (
            {"AdjustmentType": "ChangeInCapacity", "StepAdjustments": [interval(0.0)], "Cooldown": -1},
            "Cooldown",
        ),
        (None, "StepScalingPolicyConfiguration"),
    ],
)
def test_step_scaling_is_checked(given, text):
    with pytest.raises(AwsError, match=text):
        validation.steps(given, None)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, "TargetTrackingScalingPolicyConfiguration"),
        ({"TargetValue": 50.0}, "Exactly one"),
        ({"TargetValue": 0.0, "PredefinedMetricSpecification": predefined()}, "TargetValue"),
        (
            {"TargetValue": 5.0, "PredefinedMetricSpecification": predefined("ALBRequestCountPerTarget")},
            "Resource label should be specified for predefined metric type ALBRequestCountPerTarget",
        ),
        (
            {
                "TargetValue": 5.0,
                "PredefinedMetricSpecification": predefined(
                    "ALBRequestCountPerTarget", ResourceLabel="targetgroup/a/b"
                ),
            },
            "Invalid resource label 'targetgroup/a/b'",
        ),
        (
            {"TargetValue": 5.0, "PredefinedMetricSpecification": predefined(ResourceLabel=LABEL)},
            "should not",
        ),
        (
            {
                "TargetValue": 5.0,
                "PredefinedMetricSpecification": predefined("KafkaBrokerStorageUtilization"),
            },
            "not supported",
        ),
        ({"TargetValue": 5.0, "CustomizedMetricSpecification": {"MetricName": "depth"}}, "Namespace"),
        (
            {
                "TargetValue": 5.0,
                "CustomizedMetricSpecification": {"MetricName": "depth", "Metrics": [{"Id": "a"}]},
            },
            "cannot be combined with MetricName",
        ),
    ],
)
def test_target_tracking_is_checked(given, text):
    with pytest.raises(AwsError, match=text):
        validation.tracking(given, None)


def test_an_update_keeps_the_metric_that_it_does_not_name():
    known = {"TargetValue": 50.0, "PredefinedMetricSpecification": predefined()}
    assert validation.tracking({"TargetValue": 60.0}, known) == {**known, "TargetValue": 60.0}


def alarms(**configuration):
    now = datetime.now(UTC)
    target = ScalableTarget("service/prod/web", "arn", "role", 1, 4, now)
    return tracking_alarms(target, Policy("p", "arn:p", "TargetTrackingScaling", configuration, now, "maker"))


def test_target_tracking_watches_three_minutes_above_and_fifteen_below_nine_tenths_of_the_target():
    found = alarms(TargetValue=70.0, PredefinedMetricSpecification=predefined())
    high, low = found["high"], found["low"]
    assert high["AlarmName"].startswith("TargetTracking-service/prod/web-AlarmHigh-")
    assert low["AlarmName"].startswith("TargetTracking-service/prod/web-AlarmLow-")
    assert (high["EvaluationPeriods"], high["Threshold"]) == (3, 70.0)
    assert (low["EvaluationPeriods"], low["Threshold"]) == (15, 63.0)
    assert (high["ComparisonOperator"], low["ComparisonOperator"]) == (
        "GreaterThanThreshold",
        "LessThanThreshold",
    )
    assert high["AlarmActions"] == low["AlarmActions"] == ["arn:p:createdBy/maker"]
    assert high["Dimensions"] == [
        {"Name": "ClusterName", "Value": "prod"},
        {"Name": "ServiceName", "Value": "web"},
    ]


def test_requests_are_watched_by_load_balancer_and_target_group():
    metric = predefined("ALBRequestCountPerTarget", ResourceLabel=LABEL)
    high = alarms(TargetValue=1000.0, PredefinedMetricSpecification=metric)["high"]
    assert (high["MetricName"], high["Statistic"]) == ("RequestCountPerTarget", "Sum")
    assert [each["Value"] for each in high["Dimensions"]] == [
        "app/lb/50dc6c495c0c9188",
        "targetgroup/tg/943f017f100becff",
    ]


def test_a_policy_that_does_not_scale_in_has_no_low_alarm():
    found = alarms(TargetValue=70.0, PredefinedMetricSpecification=predefined(), DisableScaleIn=True)
    assert set(found) == {"high"}
