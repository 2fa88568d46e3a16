from __future__ import annotations

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


def test_the_weights_that_ecs_moves_are_no_drift() -> None:
    weights = [(f"/Actions/0/ForwardConfig/TargetGroups/{number}/Weight", "100", "0") for number in (0, 1)]
    assert unexpected("service", [drift(RULE, *weights)]) == []


def test_another_target_group_in_a_rule_is_drift() -> None:
    group = ("/Actions/0/ForwardConfig/TargetGroups/1/TargetGroupArn", "green", "other")
    weight = ("/Actions/0/ForwardConfig/TargetGroups/1/Weight", "0", "100")
    (found,) = unexpected("service", [drift(RULE, group, weight)])
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
