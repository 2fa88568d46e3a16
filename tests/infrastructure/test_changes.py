"""Change sets as AWS describes them, and what a person reads."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_ops.infrastructure.changes import Impact, added_resources, listed, resource_changes, summary

DATABASE, RULE, BUCKET = (
    "AWS::RDS::DBInstance",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::S3::Bucket",
)


def change(action: str, kind: str, *details: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": "X",
            "PhysicalResourceId": "x-1",
            "ResourceType": kind,
            "Details": list(details),
            **fields,
        },
    }


def detail(
    path: str, before: str | None, after: str | None, recreation: str = "Never", **fields: Any
) -> dict[str, Any]:
    values = {"BeforeValue": before, "AfterValue": after}
    return {
        "Target": {
            "Attribute": "Properties",
            "Name": path.split("/", maxsplit=1)[0],
            "Path": f"/Properties/{path}",
            "RequiresRecreation": recreation,
            **{key: value for key, value in values.items() if value is not None},
        },
        "Evaluation": "Static",
        **fields,
    }


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        pytest.param(
            change("Add", "AWS::SNS::Topic", PhysicalResourceId=""), ["+ X (AWS::SNS::Topic): new"], id="new"
        ),
        pytest.param(
            change("Modify", DATABASE, detail("AllocatedStorage", "100", "200"), Replacement="False"),
            ["~ X (AWS::RDS::DBInstance) x-1: changed", "    AllocatedStorage: 100 → 200"],
            id="changed",
        ),
        pytest.param(
            change("Modify", DATABASE, detail("DBInstanceClass", "a", "b"), Replacement="False"),
            [
                "~ X (AWS::RDS::DBInstance) x-1: changed; interrupted for a while",
                "    DBInstanceClass: a → b",
            ],
            id="interrupted",
        ),
        pytest.param(
            change(
                "Modify",
                DATABASE,
                detail("DBName", "a", "b", "Always"),
                Replacement="True",
                PolicyAction="ReplaceAndSnapshot",
            ),
            [
                (
                    "! ± X (AWS::RDS::DBInstance) x-1: replaced; DATA: a snapshot is taken, "
                    "then its data is gone"
                ),
                "    DBName: a → b  (needs replacement)",
            ],
            id="replaced database",
        ),
        pytest.param(
            change("Modify", BUCKET, detail("Name", "a", None, "Conditionally"), Replacement="Conditional"),
            [
                "! ± X (AWS::S3::Bucket) x-1: changed, perhaps replaced; DATA: its data is lost",
                "    Name: a → (none)  (may need replacement)",
            ],
            id="perhaps replaced",
        ),
        pytest.param(
            change("Remove", BUCKET, PolicyAction="Delete"),
            ["! - X (AWS::S3::Bucket) x-1: deleted; DATA: its data is lost"],
            id="deleted bucket",
        ),
        pytest.param(
            change("Remove", BUCKET, PolicyAction="Retain"),
            ["- X (AWS::S3::Bucket) x-1: left alone: it stays, outside the stack"],
            id="retained bucket",
        ),
        pytest.param(
            change("Modify", RULE, detail("Actions/0/ForwardConfig", "a", "b"), Replacement="False"),
            [
                (
                    "! ~ X (AWS::ElasticLoadBalancingV2::ListenerRule) x-1: changed; "
                    "TRAFFIC: it decides where requests go"
                ),
                "    Actions.0.ForwardConfig: a → b",
            ],
            id="traffic",
        ),
        pytest.param(
            change("Modify", RULE, detail("Tags/0", "a", "b"), Replacement="False"),
            ["~ X (AWS::ElasticLoadBalancingV2::ListenerRule) x-1: changed", "    Tags.0: a → b"],
            id="only tags of a rule",
        ),
        pytest.param(
            change(
                "Modify",
                "AWS::SNS::Topic",
                detail("A", "a", "{{changeSet:KNOWN_AFTER_APPLY}}"),
                Replacement="False",
            ),
            ["~ X (AWS::SNS::Topic) x-1: changed", "    A: a → (known after apply)"],
            id="known later",
        ),
    ],
)
def test_a_change_is_shown_with_its_effect_and_values(given: dict[str, Any], lines: list[str]) -> None:
    assert listed(resource_changes([given]), new=False, all_of_it=False) == lines


def test_a_changed_parameter_is_one_change_of_its_property() -> None:
    dynamic = detail("Name", "a", "b", ChangeSource="DirectModification")
    static = detail("Name", None, None, ChangeSource="ParameterReference", CausingEntity="P")
    (found,) = resource_changes([change("Modify", "AWS::SNS::Topic", static, dynamic, Replacement="False")])
    assert [str(each) for each in found.properties] == ["Name: a → b"]


def test_a_resource_whose_values_turn_out_equal_does_not_change() -> None:
    given = change("Modify", "AWS::SNS::Topic", detail("Name", "a", "a"), Replacement="False")
    assert resource_changes([given]) == ()


def test_the_resources_of_a_new_stack_are_counted_by_type_and_listed_on_request() -> None:
    found = added_resources({"A": {"Type": "AWS::EC2::Subnet"}, "B": {"Type": "AWS::EC2::Subnet"}})
    assert listed(found, new=True, all_of_it=False) == ["+ 2 AWS::EC2::Subnet"]
    assert listed(found, new=True, all_of_it=True) == [
        "+ A (AWS::EC2::Subnet): new",
        "+ B (AWS::EC2::Subnet): new",
    ]


def test_a_stack_is_summed_up_by_what_happens_to_its_resources() -> None:
    changes = [
        change("Modify", DATABASE, detail("A", "1", "2"), Replacement="False"),
        change("Add", DATABASE),
        change("Add", DATABASE),
        change("Remove", BUCKET, PolicyAction="Retain"),
    ]
    assert summary(resource_changes(changes)) == "1 changed, 2 new, 1 left alone"
    assert summary(()) == "only outputs or settings of the stack"


def test_every_effect_has_words() -> None:
    assert all(effect.symbol and effect.words for effect in Impact)
