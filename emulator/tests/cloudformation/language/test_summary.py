"""What ValidateTemplate and GetTemplateSummary tell of a template."""

from __future__ import annotations

import json

import pytest

from samjhadoo_emulator.cloudformation.language.summary import check_capabilities, summary, validation
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.errors import AwsError

FULL = parse(
    """
    AWSTemplateFormatVersion: '2010-09-09'
    Description: All of it
    Metadata: {TopicName: simple}
    Transform: AWS::LanguageExtensions
    Parameters:
      Size: {Type: String, Description: How large, AllowedValues: [s, 1], Default: s}
      Secret: {Type: String, NoEcho: true}
    Resources:
      Role: {Type: AWS::IAM::Role, Properties: {RoleName: x}}
      Topic: {Type: AWS::SNS::Topic}
      Other: {Type: AWS::SNS::Topic}
      Odd: {Type: AWS::Nope::Nope}
    """
)


def test_validation():
    assert validation(FULL) == {
        "Description": "All of it",
        "Parameters": [
            {"ParameterKey": "Size", "Description": "How large", "NoEcho": False, "DefaultValue": "s"},
            {"ParameterKey": "Secret", "NoEcho": True},
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "CapabilitiesReason": "The following resource(s) require capabilities: [AWS::IAM::Role]",
        "DeclaredTransforms": ["AWS::LanguageExtensions"],
    }


def test_summary():
    found = summary(FULL)
    assert found["Parameters"][0] == {
        "ParameterKey": "Size",
        "Description": "How large",
        "NoEcho": False,
        "DefaultValue": "s",
        "ParameterType": "String",
        "ParameterConstraints": {"AllowedValues": ["s", "1"]},
    }
    assert found["ResourceTypes"] == ["AWS::IAM::Role", "AWS::SNS::Topic", "AWS::Nope::Nope"]
    assert found["ResourceIdentifierSummaries"] == [
        {
            "ResourceType": "AWS::IAM::Role",
            "LogicalResourceIds": ["Role"],
            "ResourceIdentifiers": ["RoleName"],
        },
        {
            "ResourceType": "AWS::SNS::Topic",
            "LogicalResourceIds": ["Topic", "Other"],
            "ResourceIdentifiers": ["TopicArn"],
        },
        {"ResourceType": "AWS::Nope::Nope", "LogicalResourceIds": ["Odd"]},
    ]
    assert found["Warnings"] == {"UnrecognizedResourceTypes": ["AWS::Nope::Nope"]}
    assert json.loads(found["Metadata"]) == {"TopicName": "simple"}
    assert found["Version"] == "2010-09-09"


def test_a_plain_template_needs_nothing():
    plain = parse("Resources: {Topic: {Type: AWS::SNS::Topic}}")
    assert validation(plain) == {"Parameters": []}
    assert set(summary(plain)) == {"Parameters", "ResourceTypes", "ResourceIdentifierSummaries"}


def test_serverless_resources_are_known():
    text = "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function}}"
    assert "Warnings" not in summary(parse(text))


def test_what_nested_stacks_need_is_not_known():
    nested = parse("Resources: {N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: x}}}")
    assert validation(nested) == {
        "Parameters": [],
        "Capabilities": ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "CapabilitiesReason": "The following resource(s) require capabilities: [AWS::CloudFormation::Stack]",
    }


ROLE, NAMED = "{Type: AWS::IAM::Role}", "{Type: AWS::IAM::Role, Properties: {RoleName: x}}"
POLICY = "{Type: AWS::IAM::Policy, Properties: {PolicyName: x}}"


@pytest.mark.parametrize(
    ("resource", "given", "missing"),
    [
        ("{Type: AWS::SNS::Topic}", [], ""),
        (ROLE, [], "CAPABILITY_IAM"),
        (ROLE, ["CAPABILITY_IAM"], ""),
        (ROLE, ["CAPABILITY_NAMED_IAM"], ""),
        (NAMED, ["CAPABILITY_IAM"], "CAPABILITY_NAMED_IAM"),
        (NAMED, ["CAPABILITY_NAMED_IAM"], ""),
        (POLICY, ["CAPABILITY_IAM"], ""),
    ],
)
def test_what_a_template_needs_must_be_acknowledged(resource, given, missing):
    template = parse(f"Resources: {{R: {resource}}}")
    if not missing:
        check_capabilities(template, given)
        return
    with pytest.raises(AwsError) as refused:
        check_capabilities(template, given)
    assert refused.value.code == "InsufficientCapabilitiesException"
    assert refused.value.message == f"Requires capabilities : [{missing}]"


def test_transforms_must_be_acknowledged_but_for_change_sets():
    template = parse("Transform: Mine\nResources: {R: {Type: AWS::SNS::Topic}}")
    check_capabilities(template, ["CAPABILITY_AUTO_EXPAND"])
    check_capabilities(template, [], change_set=True)
    with pytest.raises(AwsError, match=r"Requires capabilities : \[CAPABILITY_AUTO_EXPAND\]"):
        check_capabilities(template, [])
