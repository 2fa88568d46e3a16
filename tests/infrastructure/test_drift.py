from __future__ import annotations

import json
from typing import Any

from samjhadoo_ops.infrastructure.drift import unexpected

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


def drift(kind: str, *differences: tuple[str, str, str], status: str = "MODIFIED") -> dict[str, Any]:
    return {
        "LogicalResourceId": "X",
        "PhysicalResourceId": "x",
        "ResourceType": kind,
        "StackResourceDriftStatus": status,
        "PropertyDifferences": [
            {
                "PropertyPath": path,
                "ExpectedValue": expected,
                "ActualValue": actual,
                "DifferenceType": "NOT_EQUAL",
            }
            for path, expected, actual in differences
        ],
    }


def rule(
    expected: dict[str, int], actual: dict[str, int], *differences: tuple[str, str, str]
) -> dict[str, Any]:
    def properties(groups: dict[str, int]) -> str:
        pair = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in groups.items()]
        return json.dumps({"Actions": [{"Type": "forward", "ForwardConfig": {"TargetGroups": pair}}]})

    found = drift(RULE, *differences)
    return {**found, "ExpectedProperties": properties(expected), "ActualProperties": properties(actual)}


GROUPS = "/Actions/0/ForwardConfig/TargetGroups"


def test_the_weights_that_ecs_moves_are_no_drift() -> None:
    weights = [(f"{GROUPS}/{number}/Weight", "100", "0") for number in (0, 1)]
    assert unexpected("service", [rule({"a": 100, "b": 0}, {"a": 0, "b": 100}, *weights)]) == []


def test_the_same_target_groups_in_another_order_are_no_drift() -> None:
    order = [(f"{GROUPS}/0/TargetGroupArn", "a", "b"), (f"{GROUPS}/1/TargetGroupArn", "b", "a")]
    assert unexpected("service", [rule({"a": 100, "b": 0}, {"b": 100, "a": 0}, *order)]) == []


def test_another_target_group_in_a_rule_is_drift() -> None:
    group = (f"{GROUPS}/1/TargetGroupArn", "b", "other")
    (found,) = unexpected("service", [rule({"a": 100, "b": 0}, {"a": 100, "other": 0}, group)])
    assert found.differences == (group,)


def test_a_deleted_or_changed_resource_is_drift() -> None:
    found = unexpected(
        "data",
        [
            drift("AWS::S3::Bucket", status="DELETED"),
            drift("AWS::RDS::DBInstance", ("/MultiAZ", "true", "false")),
            drift("AWS::SNS::Topic", status="IN_SYNC"),
        ],
    )
    assert [(each.type, each.status) for each in found] == [
        ("AWS::S3::Bucket", "DELETED"),
        ("AWS::RDS::DBInstance", "MODIFIED"),
    ]
