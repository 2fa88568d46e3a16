"""What an update would do to each resource: the cases are what AWS's DescribeChangeSet has answered."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator.cloudformation.changes.differences import (
    After,
    Before,
    Difference,
    Existing,
    differences,
)
from samjhadoo_emulator.cloudformation.language import parameters, schemas, template
from samjhadoo_emulator.cloudformation.language.conditions import evaluate_conditions
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN, Context
from samjhadoo_emulator.cloudformation.language.functions import evaluate
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError

PSEUDO = {"AWS::Region": "ap-south-1", "AWS::StackName": "stack"}
TOPIC, SSM = "AWS::SNS::Topic", "AWS::SSM::Parameter"


def wanted(document: dict[str, Any], given: dict[str, str] | None = None, **tags: str) -> After:
    """Return a template with parameters, as it is wanted."""
    parsed = template.parse(json.dumps(document))
    values = {name: each.value for name, each in parameters.resolve(parsed, given or {}).items()}
    context = Context(parameters=values, mappings=parsed.mappings, pseudo=PSEUDO, unknown_resources=True)
    conditions = evaluate_conditions(parsed.conditions, context)
    return After(parsed, replace(context, conditions=conditions), tags)


def deployed(after: After) -> Before:
    """Return the stack that was made as it was wanted."""
    from samjhadoo_emulator.cloudformation.language.dependencies import order

    context = after.context
    resources: dict[str, Existing] = {}
    for name in order(after.template, context.conditions):
        entry = after.template.resources[name]
        properties = evaluate(entry.properties, context)
        resource = Resource(f"id-of-{name}", {**properties, "Arn": f"arn-of-{name}"})
        resources[name] = Existing(entry, resource, properties)
        context = replace(context, resources={**context.resources, name: resource})
    return Before(resources, context.parameters, after.tags)


def resources(**entries: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": entries}


def topic(**properties: Any) -> dict[str, Any]:
    return {"Type": TOPIC, "Properties": properties}


def parameter(**properties: Any) -> dict[str, Any]:
    return {"Type": SSM, "Properties": {"Type": "String", **properties}}


def shown(found: tuple[Difference, ...]) -> list[str]:
    """Return differences as short lines: action, resource, replacement, then a line for each detail."""
    lines = []
    for each in found:
        words = [each.action.value, each.logical_id, each.replacement and f"Replacement={each.replacement}"]
        lines.append(" ".join(filter(None, [*words, each.policy_action])))
        lines += sorted(
            " ".join(
                filter(
                    None,
                    [
                        "-",
                        detail.attribute if detail.attribute != "Properties" else "",
                        "/".join(detail.change.path) if detail.change else detail.name,
                        detail.recreation,
                        detail.evaluation,
                        detail.source,
                        detail.cause,
                    ],
                )
            )
            for detail in each.details
        )
    return lines


GET_NAME = {"Fn::GetAtt": ["Foo", "TopicName"]}
BY_PARAMETER = {
    "Parameters": {"Name": {"Type": "String"}},
    **resources(Foo=topic(TopicName={"Ref": "Name"}), Parameter=parameter(Value=GET_NAME)),
}
BY_MAPPING = {
    "Parameters": {"Key": {"Type": "String"}},
    "Mappings": {"Map": {"Top": {"one": "topic-1", "two": "topic-2"}}},
    **resources(Foo=topic(TopicName={"Fn::FindInMap": ["Map", "Top", {"Ref": "Key"}]})),
}
BY_CONDITION = {
    "Parameters": {"Kind": {"Type": "String"}},
    "Conditions": {"Production": {"Fn::Equals": [{"Ref": "Kind"}, "prod"]}},
    **resources(
        Bucket={"Type": "AWS::S3::Bucket"}, Parameter={**parameter(Value="test"), "Condition": "Production"}
    ),
}
REPLACED_FOO = [
    "Modify Foo Replacement=True ReplaceAndDelete",
    "- TopicName Always Dynamic DirectModification",
    "- TopicName Always Static ParameterReference Name",
]


@pytest.mark.parametrize(
    ("first", "second", "by_value", "by_name"),
    [
        pytest.param(
            wanted(resources(Foo=topic(TopicName="topic-1"))),
            wanted(resources(Foo=topic(TopicName="topic-2"))),
            [
                "Modify Foo Replacement=True ReplaceAndDelete",
                "- TopicName Always Static DirectModification",
            ],
            None,
            id="a create-only property",
        ),
        pytest.param(
            wanted(resources(Foo=parameter(Name="p", Value="foo"))),
            wanted(resources(Foo=parameter(Name="p", Value="bar"))),
            ["Modify Foo Replacement=False", "- Value Never Static DirectModification"],
            None,
            id="another property",
        ),
        pytest.param(
            wanted(resources(Foo=topic(TopicName="topic-1"), Parameter=parameter(Value=GET_NAME))),
            wanted(resources(Foo=topic(TopicName="topic-2"), Parameter=parameter(Value=GET_NAME))),
            [
                "Modify Foo Replacement=True ReplaceAndDelete",
                "- TopicName Always Static DirectModification",
                "Modify Parameter Replacement=False",
                "- Value Never Dynamic DirectModification",
                "- Value Never Static ResourceAttribute Foo.TopicName",
            ],
            [
                "Modify Foo Replacement=True ReplaceAndDelete",
                "- TopicName Always Static DirectModification",
                "Modify Parameter Replacement=False",
                "- Value Never Static ResourceAttribute Foo.TopicName",
            ],
            id="an attribute of a replaced resource",
        ),
        pytest.param(
            wanted(BY_PARAMETER, {"Name": "topic-1"}),
            wanted(BY_PARAMETER, {"Name": "topic-2"}),
            [
                *REPLACED_FOO,
                "Modify Parameter Replacement=False",
                "- Value Never Dynamic DirectModification",
                "- Value Never Static ResourceAttribute Foo.TopicName",
            ],
            [
                *REPLACED_FOO,
                "Modify Parameter Replacement=False",
                "- Value Never Static ResourceAttribute Foo.TopicName",
            ],
            id="a parameter",
        ),
        pytest.param(
            wanted(BY_MAPPING, {"Key": "one"}),
            wanted(BY_MAPPING, {"Key": "two"}),
            [
                "Modify Foo Replacement=True ReplaceAndDelete",
                "- TopicName Always Dynamic DirectModification",
                "- TopicName Always Static ParameterReference Key",
            ],
            None,
            id="a parameter as a mapping's key",
        ),
        pytest.param(
            wanted(
                {"Mappings": {"M": {"T": {"V": "1"}}}}
                | resources(Foo=parameter(Value={"Fn::FindInMap": ["M", "T", "V"]}))
            ),
            wanted(
                {"Mappings": {"M": {"T": {"V": "2"}}}}
                | resources(Foo=parameter(Value={"Fn::FindInMap": ["M", "T", "V"]}))
            ),
            ["Modify Foo Replacement=False", "- Value Never Static DirectModification"],
            None,
            id="a mapping",
        ),
        pytest.param(
            wanted(BY_CONDITION, {"Kind": "test"}),
            wanted(BY_CONDITION, {"Kind": "prod"}),
            ["Add Parameter"],
            None,
            id="a condition that comes to hold",
        ),
        pytest.param(
            wanted(BY_CONDITION, {"Kind": "prod"}),
            wanted(BY_CONDITION, {"Kind": "test"}),
            ["Remove Parameter Delete"],
            None,
            id="a condition that no longer holds",
        ),
        pytest.param(
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1", DisplayName="value"),
                    Topic2=topic(TopicName="topic-2", DisplayName={"Ref": "Topic1"}),
                )
            ),
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-3", DisplayName="new"),
                    Topic2=topic(TopicName="topic-2", DisplayName={"Ref": "Topic1"}),
                )
            ),
            [
                "Modify Topic1 Replacement=True ReplaceAndDelete",
                "- DisplayName Never Static DirectModification",
                "- TopicName Always Static DirectModification",
                "Modify Topic2 Replacement=False",
                "- DisplayName Never Dynamic DirectModification",
                "- DisplayName Never Static ResourceReference Topic1",
            ],
            [
                "Modify Topic1 Replacement=True ReplaceAndDelete",
                "- DisplayName Never Static DirectModification",
                "- TopicName Always Static DirectModification",
                "Modify Topic2 Replacement=False",
                "- DisplayName Never Static ResourceReference Topic1",
            ],
            id="a reference to a replaced resource",
        ),
        pytest.param(
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1", DisplayName="value"),
                    Topic2=topic(TopicName="topic-2", DisplayName={"Ref": "Topic1"}),
                )
            ),
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1", DisplayName="new"),
                    Topic2=topic(TopicName="topic-2", DisplayName={"Ref": "Topic1"}),
                )
            ),
            ["Modify Topic1 Replacement=False", "- DisplayName Never Static DirectModification"],
            None,
            id="a reference to a resource that keeps its id",
        ),
        pytest.param(
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1", DisplayName="value"),
                    Topic2=topic(TopicName="t-2", DisplayName={"Fn::GetAtt": ["Topic1", "DisplayName"]}),
                    Topic3=topic(TopicName="t-3", DisplayName={"Fn::GetAtt": ["Topic2", "DisplayName"]}),
                )
            ),
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1", DisplayName="new"),
                    Topic2=topic(TopicName="t-2", DisplayName={"Fn::GetAtt": ["Topic1", "DisplayName"]}),
                    Topic3=topic(TopicName="t-3", DisplayName={"Fn::GetAtt": ["Topic2", "DisplayName"]}),
                )
            ),
            ["Modify Topic1 Replacement=False", "- DisplayName Never Static DirectModification"],
            [
                "Modify Topic1 Replacement=False",
                "- DisplayName Never Static DirectModification",
                "Modify Topic2 Replacement=False",
                "- DisplayName Never Dynamic ResourceAttribute Topic1.DisplayName",
                "Modify Topic3 Replacement=False",
                "- DisplayName Never Dynamic ResourceAttribute Topic2.DisplayName",
            ],
            id="a chain of attributes of resources that stay",
        ),
        pytest.param(
            wanted(resources(Topic1=topic(TopicName="topic-1"))),
            wanted(
                resources(
                    Topic1=topic(TopicName="topic-1"),
                    Topic2={**topic(TopicName="topic-2"), "DependsOn": "Topic1"},
                )
            ),
            ["Add Topic2"],
            None,
            id="a new resource that depends on an old one",
        ),
        pytest.param(
            wanted(resources(Role=topic(TopicName="topic-1"), Topic={**topic(), "DeletionPolicy": "Retain"})),
            wanted(resources(Role=topic(TopicName="topic-1"))),
            ["Remove Topic Retain"],
            None,
            id="a retained resource",
        ),
        pytest.param(
            wanted(resources(Bucket={"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "bucket"}})),
            wanted(
                resources(
                    Bucket={
                        "Type": "AWS::S3::Bucket",
                        "Properties": {
                            "BucketName": "bucket",
                            "BucketEncryption": {"Key": {"Fn::GetAtt": ["Key", "Arn"]}},
                        },
                    },
                    Key={"Type": "AWS::KMS::Key", "Properties": {}},
                )
            ),
            [
                "Modify Bucket Replacement=False",
                "- BucketEncryption Never Dynamic DirectModification",
                "- BucketEncryption Never Static ResourceAttribute Key.Arn",
                "Add Key",
            ],
            None,
            id="an attribute of a new resource",
        ),
        pytest.param(
            wanted(resources(Topic=topic(TopicName="a") | {"Metadata": {"Version": 1}})),
            wanted(resources(Topic=topic(TopicName="a") | {"Metadata": {"Version": 2}})),
            ["Modify Topic Replacement=False", "- Metadata Never Static DirectModification"],
            None,
            id="metadata",
        ),
        pytest.param(
            wanted(resources(Topic=topic(TopicName="a"), Parameter=parameter(Value="x")), team="a"),
            wanted(resources(Topic=topic(TopicName="a"), Parameter=parameter(Value="x")), team="b"),
            [
                "Modify Parameter Replacement=False",
                "- Tags Never Static DirectModification",
                "Modify Topic Replacement=False",
                "- Tags Never Static DirectModification",
            ],
            None,
            id="the stack's tags",
        ),
        pytest.param(
            wanted(
                resources(Child={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "u"}})
            ),
            wanted(
                resources(Child={"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "u"}})
            ),
            ["Modify Child Replacement=False", "- Never Dynamic Automatic"],
            None,
            id="a nested stack, whose template may have changed",
        ),
    ],
)
def test_differences_are_those_of_aws(
    first: After, second: After, by_value: list[str], by_name: list[str] | None
) -> None:
    before = deployed(first)

    assert shown(differences(before, second, schemas.schema)) == by_value
    without_values = differences(before, second, schemas.schema, values=False)
    assert shown(without_values) == (by_value if by_name is None else by_name)


def test_a_replacement_that_depends_on_the_execution_is_conditional() -> None:
    """The listener's create-only load balancer comes from an attribute that may change."""
    first, second = (
        wanted(
            resources(
                Name=parameter(Name="fixed", Value="topic", Description=text),
                Foo=topic(TopicName={"Fn::GetAtt": ["Name", "Value"]}),
            )
        )
        for text in ("one", "two")
    )

    found = differences(deployed(first), second, schemas.schema, values=False)

    assert shown(found) == [
        "Modify Foo Replacement=Conditional ReplaceAndDelete",
        "- TopicName Always Dynamic ResourceAttribute Name.Value",
        "Modify Name Replacement=False",
        "- Description Never Static DirectModification",
    ]
    assert [each.logical_id for each in differences(deployed(first), second, schemas.schema)] == ["Name"]


def test_what_is_made_later_is_unknown() -> None:
    after = wanted(resources(Foo=topic(TopicName="topic-1"), Parameter=parameter(Value=GET_NAME)))

    found = differences(Before(), after, schemas.schema)

    assert [(each.action.value, each.after) for each in found] == [
        ("Add", {"Properties": {"TopicName": "topic-1"}}),
        ("Add", {"Properties": {"Type": "String", "Value": UNKNOWN}}),
    ]


def test_an_attribute_of_a_changed_resource_is_shown_as_it_is_now() -> None:
    before = deployed(wanted(resources(Topic1=topic(TopicName="topic-1", DisplayName="old"))))
    second = wanted(
        resources(
            Topic1=topic(TopicName="topic-1", DisplayName="new"),
            Topic2=topic(DisplayName={"Fn::GetAtt": ["Topic1", "DisplayName"]}),
        )
    )

    _, added = differences(before, second, schemas.schema)

    assert added.after == {"Properties": {"DisplayName": "old"}}


def test_a_resource_keeps_its_type() -> None:
    before = deployed(wanted(resources(Foo=topic(TopicName="a"))))

    with pytest.raises(AwsError, match=r"Update of resource type is not permitted.*\[Foo\]"):
        differences(before, wanted(resources(Foo=parameter(Value="a"))), schemas.schema)


@pytest.mark.parametrize(
    ("kind", "properties", "policies", "action"),
    [
        ("AWS::RDS::DBInstance", {}, {}, "Snapshot"),
        ("AWS::RDS::DBInstance", {"DBClusterIdentifier": "c"}, {}, "Delete"),
        ("AWS::RDS::DBCluster", {}, {}, "Snapshot"),
        ("AWS::RDS::DBCluster", {}, {"DeletionPolicy": "Delete"}, "Delete"),
        ("AWS::SNS::Topic", {}, {"DeletionPolicy": "RetainExceptOnCreate"}, "Retain"),
    ],
)
def test_what_happens_to_a_removed_resource(
    kind: str, properties: dict[str, Any], policies: dict[str, str], action: str
) -> None:
    entry = {"Type": kind, "Properties": properties, **policies}
    before = deployed(wanted(resources(Data=entry, Other=topic())))

    (removed,) = differences(before, wanted(resources(Other=topic())), schemas.schema)

    assert removed.policy_action == action


NAMES = st.sampled_from(["A", "B", "C", "D"])
ENTRIES = st.dictionaries(
    NAMES, st.fixed_dictionaries({}, optional={"TopicName": NAMES, "DisplayName": NAMES}), min_size=1
)


@given(first=ENTRIES, second=ENTRIES)
def test_every_resource_is_added_kept_or_removed(first: Any, second: Any) -> None:
    before = deployed(wanted(resources(**{name: topic(**each) for name, each in first.items()})))
    after = wanted(resources(**{name: topic(**each) for name, each in second.items()}))

    found = {each.logical_id: each for each in differences(before, after, schemas.schema)}

    assert {name for name, each in found.items() if each.action == "Add"} == second.keys() - first.keys()
    assert {name for name, each in found.items() if each.action == "Remove"} == first.keys() - second.keys()
    kept = first.keys() & second.keys()
    assert {name for name in kept if first[name] != second[name]} == kept & found.keys()
