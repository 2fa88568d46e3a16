"""Templates as a whole: what is read from their sections, and what is refused, in AWS's words."""

from __future__ import annotations

import json
import re

import pytest
import yaml

from samjhadoo_emulator.cloudformation.language.template import TemplateResource, check_size, parse
from samjhadoo_emulator.errors import AwsError

FORMAT = "Template format error: "
IN_RESOURCES = "in the Resources block of the template"
BUCKET = "Resources: {B: {Type: 'AWS::S3::Bucket'}}"


def refusal(text):
    """Return the text that a template is refused with."""
    with pytest.raises(AwsError) as refused:
        parse(text)
    assert refused.value.code == "ValidationError"
    return refused.value.message


def test_sections_are_read_with_functions_in_long_form():
    template = parse(
        """
        AWSTemplateFormatVersion: 2010-09-09
        Description: A bucket
        Parameters: {Name: {Type: String}}
        Conditions: {Always: !Equals [a, a]}
        Resources:
          Bucket:
            Type: AWS::S3::Bucket
            Condition: Always
            DependsOn: Topic
            DeletionPolicy: Retain
            UpdateReplacePolicy: Snapshot
            Metadata: {why: 1}
            Properties: {BucketName: !Ref Name}
          Topic: {Type: AWS::SNS::Topic, DependsOn: []}
        Outputs: {Arn: {Value: !GetAtt Bucket.Arn, Export: {Name: arn}}}
        """
    )
    assert template.version == "2010-09-09"
    assert template.description == "A bucket"
    assert template.resources["Bucket"] == TemplateResource(
        type="AWS::S3::Bucket",
        condition="Always",
        depends_on=("Topic",),
        deletion_policy="Retain",
        update_replace_policy="Snapshot",
        metadata={"why": 1},
        properties={"BucketName": {"Ref": "Name"}},
    )
    assert template.outputs == {
        "Arn": {"Value": {"Fn::GetAtt": ["Bucket", "Arn"]}, "Export": {"Name": "arn"}}
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"{FORMAT}unsupported structure."),
        ("[]", f"{FORMAT}unsupported structure."),
        ("{}", f"{FORMAT}At least one Resources member must be defined."),
        ("Resources: {}", f"{FORMAT}At least one Resources member must be defined."),
        (f"{BUCKET}\nAll: {{}}\nThe: {{}}", "Invalid template property or properties [All, The]"),
        (
            f"{BUCKET}\nAWSTemplateFormatVersion: 2011-09-09",
            f"{FORMAT}unsupported value for AWSTemplateFormatVersion.",
        ),
        (f"{BUCKET}\nDescription: {'x' * 1025}", f"{FORMAT}'Description' length is greater than 1024."),
        (
            f"{BUCKET}\nOutputs: {{O: {{Value: }}}}",
            "[/Outputs/O/Value] 'null' values are not allowed in templates",
        ),
        (
            "Resources: {B: {Type: T, Properties: {L: [1, ~]}}}",
            "[/Resources/B/Properties/L/1] 'null' values are not allowed in templates",
        ),
        (f"{BUCKET}\nOutputs: {{O: {{}}}}", f"{FORMAT}Every Outputs member must contain a Value object"),
        (f"{BUCKET}\nOutputs: {{a-b: {{Value: 1}}}}", f"{FORMAT}Outputs name 'a-b' is non alphanumeric."),
        (
            f"{BUCKET}\nOutputs: {{O: {{Value: 1, Export: x}}}}",
            (
                f"{FORMAT}Output O is malformed. The Name field of every Export member must be "
                "specified and consist only of alphanumeric characters, colons, or hyphens."
            ),
        ),
        (
            "Resources: {A: {Properties: {}}}",
            f"{FORMAT}[/Resources/A] Every Resources object must contain a Type member.",
        ),
        ("Resources: {A: {Type: T, Invalid: 1}}", "Invalid template resource property 'Invalid'"),
        ("Resources: {A: x}", f"{FORMAT}[/Resources/A] resource definition is malformed"),
        ("Resources: {a-b: {Type: T}}", f"{FORMAT}Resource name a-b is non alphanumeric."),
        (
            "Resources: {A: {Type: T, Properties: []}}",
            f"{FORMAT}Any Properties member must be a JSON object.",
        ),
        (
            "Resources: {A: {Type: T, DependsOn: {}}}",
            f"{FORMAT}DependsOn must be a string or list of strings.",
        ),
        (
            "Resources: {A: {Type: T, DeletionPolicy: Keep}}",
            f"{FORMAT}Unrecognized DeletionPolicy Keep for resource A",
        ),
        (
            "Resources: {A: {Type: T, DeletionPolicy: !Ref P}}",
            f"{FORMAT}Every DeletionPolicy member must be a string.",
        ),
        (f"{BUCKET}\nMappings: {{A: x}}", f"{FORMAT}Every Mappings member A must be a map"),
        (f"{BUCKET}\nMappings: {{A: {{b: c}}}}", f"{FORMAT}Every Mappings member b must be a map"),
        (
            f"{BUCKET}\nMappings: {{A: {{b: {{c: {{}}}}}}}}",
            f"{FORMAT}Every Mappings attribute must be a String or a List.",
        ),
        (
            f"{BUCKET}\nParameters: {{P: {{}}}}",
            f"{FORMAT}[/Parameters/P] Every Parameters object must contain a Type member.",
        ),
        (f"{BUCKET}\nParameters: {{P: {{Type: Text}}}}", f"{FORMAT}Unrecognized parameter type: Text"),
        (
            f"{BUCKET}\nParameters: {{P_: {{Type: String}}}}",
            f"{FORMAT}Parameter name P_ is non alphanumeric.",
        ),
        (f"{BUCKET}\nParameters: {{P: {{Type: String, X: 1}}}}", "Invalid template parameter property 'X'"),
        (
            f"{BUCKET}\nParameters: {{P: {{Type: String, Default: []}}}}",
            f"{FORMAT}Every Default member must be a string.",
        ),
        (
            f"{BUCKET}\nParameters: {{B: {{Type: String}}}}",
            "Template error: all resources and parameters must have unique names. Common name(s):[B]",
        ),
        (
            f"{BUCKET}\nConditions: {{C: x}}",
            f"{FORMAT}Conditions can only be boolean operations on parameters and other conditions",
        ),
        (f"{BUCKET}\nGlobals: {{}}", "Invalid template property or properties [Globals]"),
        (f"{BUCKET}\nParameters: []", f"{FORMAT}unsupported structure."),
        (f"{BUCKET}\nTransform: {{}}", "Key Name of transform definition must be a string."),
    ],
)
def test_malformed_sections_are_refused(text, message):
    assert refusal(text) == message


@pytest.mark.parametrize(
    ("section", "most"), [("Resources", 500), ("Parameters", 200), ("Mappings", 200), ("Outputs", 200)]
)
def test_sections_have_a_most_number_of_members(section, most):
    member = {
        "Resources": {"Type": "AWS::SNS::Topic"},
        "Parameters": {"Type": "String"},
        "Mappings": {"a": {"b": "c"}},
        "Outputs": {"Value": "1"},
    }[section]
    document = {"Resources": {"Only": {"Type": "AWS::SNS::Topic"}}}
    parse(json.dumps(document | {section: {f"N{n}": member for n in range(most)}}))
    assert refusal(json.dumps(document | {section: {f"N{n}": member for n in range(most + 1)}})) == (
        f"{FORMAT}Number of {section.lower()}, {most + 1}, is greater than maximum allowed, {most}"
    )


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ("{N: !Ref Nope, M: !Ref Other}", "[Nope, Other]"),
        ("{N: !Sub '${Nope}-x'}", "[Nope]"),
        ("{N: {L: [{M: !Ref Nope}]}}", "[Nope]"),
        ("{N: !If [C, !Ref Nope, x]}", "[Nope]"),
    ],
)
def test_references_to_nothing_are_refused(properties, message):
    text = f"Conditions: {{C: !Equals [a, b]}}\nResources: {{B: {{Type: T, Properties: {properties}}}}}"
    assert refusal(text) == (f"{FORMAT}Unresolved resource dependencies {message} {IN_RESOURCES}")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("!GetAtt Nope.Arn", "Template error: instance of Fn::GetAtt references undefined resource Nope"),
        (
            "!Sub '${Nope.Arn}'",
            "Template error: instance of Fn::Sub references invalid resource attribute Nope.Arn",
        ),
        ("!If [Nope, a, b]", "Template error: unresolved condition dependency Nope in Fn::If"),
        (
            "!FindInMap [Nope, a, b]",
            "Template error: Mapping named 'Nope' is not present in the 'Mappings' section of template.",
        ),
        ("!Ref [a]", "Template error: every Ref object must have a single String value."),
        (
            "!GetAtt B",
            (
                "Template error: every Fn::GetAtt object requires two non-empty "
                "parameters, the "
                "resource name and "
                "the resource attribute"
            ),
        ),
        ("!If [C, a]", "Template error: Fn::If requires a list argument with three elements"),
        (
            "!If []",
            "Template error: Fn::If requires a list argument with the first element being a condition",
        ),
        (
            "!Join [',', abc]",
            (
                "Template error: every Fn::Join object requires two parameters, (1) a "
                "string "
                "delimiter and (2) a "
                "list of strings to be joined or a function that returns a list of strings "
                "(such as "
                "Fn::GetAZs) to "
                "be joined."
            ),
        ),
        (
            "!Sub {a: b}",
            (
                "Template error: One or more Fn::Sub intrinsic functions don't specify "
                "expected "
                "arguments. Specify "
                "a string as first argument, and an optional second argument to specify a "
                "mapping of "
                "values to "
                "replace in the string"
            ),
        ),
        (
            "!Sub '${a b}'",
            (
                "Template error: variable names in Fn::Sub syntax must contain only alphanumeric characters, "
                "underscores, periods, and colons"
            ),
        ),
        ("!Transform {Name: Mine}", "No transform named Mine found."),
    ],
)
def test_misused_functions_are_refused(value, message):
    text = f"Conditions: {{C: !Equals [a, b]}}\nResources: {{B: {{Type: T, Properties: {{P: {value}}}}}}}"
    assert refusal(text) == message


def test_unknown_functions_are_refused_with_those_that_there_are():
    message = refusal("Resources: {B: {Type: T, Properties: {P: {'Fn::Ref': x}}}}")
    assert re.fullmatch(
        r"Template error: Encountered unsupported function: Fn::Ref "
        r"Supported functions are: \[Fn::Base64, .*Fn::Cidr\]",
        message,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Resources: {B: {Type: T, DependsOn: [Nope]}}",
            f"{FORMAT}Unresolved resource dependencies [Nope] {IN_RESOURCES}",
        ),
        (
            f"{BUCKET}\nOutputs: {{O: {{Value: !Ref Nope}}}}",
            f"{FORMAT}Unresolved resource dependencies [Nope] in the Outputs block of the template",
        ),
        (
            f"{BUCKET}\nOutputs: {{O: {{Value: x, Condition: Nope}}}}",
            f"{FORMAT}Unresolved condition dependency Nope in the Outputs block of the template",
        ),
        (
            "Resources: {B: {Type: T, Condition: Nope}}",
            f"{FORMAT}Unresolved condition dependency Nope {IN_RESOURCES}",
        ),
        (
            f"Conditions: {{C: !Equals [!Ref B, x]}}\n{BUCKET}",
            (
                f"{FORMAT}Unresolved dependencies [B]. Cannot reference resources in the Conditions "
                "block of the template"
            ),
        ),
        (
            f"Conditions: {{C: !Not [!Condition Nope]}}\n{BUCKET}",
            "Template error: unresolved condition dependency Nope in Condition",
        ),
    ],
)
def test_names_are_resolved_in_every_section(text, message):
    assert refusal(text) == message


def test_own_variables_literals_and_pseudo_parameters_need_no_declaration():
    parse(
        "Resources: {B: {Type: T, Properties: {P: !Sub "
        "['${L}${!Literal}${AWS::Region}', {L: "
        "!Ref AWS::NoValue}]}}}"
    )


def test_a_property_named_condition_is_none():
    parse("Resources: {B: {Type: T, Properties: {Statement: {Condition: {Bool: {x: 'true'}}}}}}")


def test_yaml_and_json_are_the_same_template():
    document = {
        "Parameters": {"P": {"Type": "Number", "Default": 1}},
        "Resources": {
            "B": {"Type": "T", "Properties": {"A": {"Fn::Sub": "${P}"}, "L": [True, 1.5, "x", {"Ref": "P"}]}}
        },
    }
    in_yaml, in_json = parse(yaml.safe_dump(document)), parse(json.dumps(document))
    assert in_yaml.document == in_json.document == document
    assert in_yaml.resources == in_json.resources


def test_texts_have_a_largest_size_which_is_larger_in_s3():
    check_size("x" * 51_200)
    check_size("x" * 1_000_000, stored=True)
    with pytest.raises(
        AwsError, match="'templateBody' failed to satisfy constraint: Member must have length"
    ):
        check_size("x" * 51_201)
    with pytest.raises(AwsError, match="Template may not exceed 1000000 bytes in size"):
        check_size("x" * 1_000_001, stored=True)
