"""What DescribeChangeSet answers for a difference; the cases are AWS's answers."""

from __future__ import annotations

import json

from samjhadoo_emulator.cloudformation.changes.causes import Evaluation, Source
from samjhadoo_emulator.cloudformation.changes.change_shapes import change
from samjhadoo_emulator.cloudformation.changes.differences import Action, Detail, Difference, Replacement
from samjhadoo_emulator.cloudformation.changes.property_changes import ABSENT, PropertyChange, Recreation
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN

VALUE = PropertyChange(("Value",), "topic-1", UNKNOWN)
MODIFIED = Difference(
    Action.MODIFY,
    "Parameter",
    "AWS::SSM::Parameter",
    id="CFN-Parameter-1",
    replacement=Replacement.NO,
    details=(
        Detail(
            "Properties", "Value", Recreation.NEVER, Evaluation.STATIC, Source.ATTRIBUTE, "Foo.Arn", VALUE
        ),
    ),
    before={"Properties": {"Value": "topic-1", "Type": "String"}},
    after={"Properties": {"Value": UNKNOWN, "Type": "String"}},
)


def test_a_modification_is_shown_with_its_values() -> None:
    assert change(MODIFIED, values=True) == {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Modify",
            "LogicalResourceId": "Parameter",
            "PhysicalResourceId": "CFN-Parameter-1",
            "ResourceType": "AWS::SSM::Parameter",
            "Replacement": "False",
            "Scope": ["Properties"],
            "BeforeContext": '{"Properties":{"Value":"topic-1","Type":"String"}}',
            "AfterContext": '{"Properties":{"Value":"{{changeSet:KNOWN_AFTER_APPLY}}","Type":"String"}}',
            "Details": [
                {
                    "Target": {
                        "Attribute": "Properties",
                        "Name": "Value",
                        "RequiresRecreation": "Never",
                        "Path": "/Properties/Value",
                        "BeforeValue": "topic-1",
                        "AfterValue": "{{changeSet:KNOWN_AFTER_APPLY}}",
                        "AttributeChangeType": "Modify",
                    },
                    "Evaluation": "Static",
                    "ChangeSource": "ResourceAttribute",
                    "CausingEntity": "Foo.Arn",
                }
            ],
        },
    }


def test_an_addition_has_neither_details_nor_a_physical_id() -> None:
    added = Difference(Action.ADD, "Foo", "AWS::SNS::Topic", after={"Properties": {}})

    assert change(added, values=False) == {
        "Type": "Resource",
        "ResourceChange": {
            "Action": "Add",
            "LogicalResourceId": "Foo",
            "ResourceType": "AWS::SNS::Topic",
            "Scope": [],
            "Details": [],
        },
    }


def test_values_that_contain_a_secret_are_masked() -> None:
    secret = PropertyChange(("Options", "Password"), ABSENT, {"text": "user:hunter2", "n": 1})
    detail = Detail(
        "Properties", "Options", Recreation.NEVER, Evaluation.STATIC, Source.DIRECT, change=secret
    )
    difference = Difference(
        Action.MODIFY,
        "Foo",
        "AWS::SNS::Topic",
        details=(detail,),
        after={"Properties": {"Options": {"Password": secret.after}}},
    )

    shown = change(difference, values=True, secrets=["hunter2"])["ResourceChange"]

    assert shown["Details"][0]["Target"]["AfterValue"] == '{"text":"****","n":1}'
    assert "BeforeValue" not in shown["Details"][0]["Target"]
    assert "hunter2" not in json.dumps(shown)
