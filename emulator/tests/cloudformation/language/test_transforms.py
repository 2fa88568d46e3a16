"""Transforms: loops of AWS::LanguageExtensions, and macros that are not there."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest

from samjhadoo_emulator.cloudformation.language.parameters import resolve
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.cloudformation.language.transforms import transformed
from samjhadoo_emulator.errors import AwsError

PSEUDO = {"AWS::Region": "eu-west-1", "AWS::AccountId": "000000000000"}


def result(body, **given):
    """Return a template of language extensions after its transform."""
    template = parse(f"Transform: AWS::LanguageExtensions\n{dedent(body)}")
    return transformed(template, resolve(template, given), PSEUDO)


def test_a_template_without_transforms_stays_as_it_is():
    template = parse("Resources: {A: {Type: AWS::SNS::Topic}}")
    assert transformed(template, {}, PSEUDO) is template
    assert not template.extensions


def test_loops_make_resources_outputs_and_conditions():
    found = result(
        """
        Parameters: {Names: {Type: CommaDelimitedList}}
        Conditions:
          Fn::ForEach::Is: [Env, [Dev, Prod], {'Is${Env}': !Equals [!Ref Env, Prod]}]
        Resources:
          Fn::ForEach::Topics:
            - Name
            - !Ref Names
            - Topic&{Name}:
                Type: AWS::SNS::Topic
                Condition: IsProd
                Properties: {TopicName: !Sub '${Name}-${AWS::Region}', DisplayName: !Ref Name}
          Other: {Type: AWS::SNS::Topic}
        Outputs:
          Fn::ForEach::Arns:
            - Name
            - !Ref Names
            - 'Arn&{Name}': {Value: !GetAtt ['Topic&{Name}', TopicArn]}
        """,
        Names="a,b-c",
    )
    assert found.conditions == {
        "IsDev": {"Fn::Equals": ["Dev", "Prod"]},
        "IsProd": {"Fn::Equals": ["Prod", "Prod"]},
    }
    assert list(found.resources) == ["Topica", "Topicbc", "Other"]
    assert found.resources["Topicbc"].properties == {
        "TopicName": {"Fn::Sub": "b-c-${AWS::Region}"},
        "DisplayName": "b-c",
    }
    assert found.outputs["Arnbc"] == {"Value": {"Fn::GetAtt": ["Topicbc", "TopicArn"]}}
    assert found.transforms == ("AWS::LanguageExtensions",)
    assert found.extensions
    assert "Transform" not in found.document


def test_loops_in_loops_and_in_properties():
    found = result(
        """
        Mappings: {Sizes: {eu-west-1: {Zones: [a, b]}}}
        Resources:
          Fn::ForEach::Outer:
            - X
            - !FindInMap [Sizes, !Ref AWS::Region, Zones]
            - Fn::ForEach::Inner:
                - Y
                - ['1', [2, 3]]
                - 'R${X}${Y}':
                    Type: T
                    Properties:
                      Fn::ForEach::P: [K, [A, !Ref X], {'${K}': !Ref Y}]
        """
    )
    assert {name: each.properties for name, each in found.resources.items()} == {
        f"R{x}{y}": {"A": str(y), x: str(y)} for x in "ab" for y in (1, 2, 3)
    }


def test_functions_may_say_what_is_referred_to():
    found = result(
        """
        Parameters: {Kind: {Type: String, Default: Arn}, NameA: {Type: String, Default: x}}
        Resources:
          Fn::ForEach::Loop: [N, [A], {'R${N}': {Type: T, Properties: {P: !Ref {'Fn::Sub': 'Name${N}'}}}}]
        Outputs: {O: {Value: !GetAtt [!Sub 'RA', {Ref: Kind}]}}
        """
    )
    assert found.resources["RA"].properties == {"P": {"Ref": "NameA"}}
    assert found.outputs["O"]["Value"] == {"Fn::GetAtt": ["RA", "Arn"]}


def test_policies_may_be_functions():
    found = result(
        """
        Parameters: {Policy: {Type: String, Default: Retain}}
        Resources:
          A: {Type: T, DeletionPolicy: !Ref Policy, UpdateReplacePolicy: !Ref Policy}
        """
    )
    assert found.resources["A"].deletion_policy == "Retain"
    assert found.resources["A"].update_replace_policy == "Retain"


@pytest.mark.parametrize(
    ("loop", "message"),
    [
        ("[X, [a]]", "Transform AWS::LanguageExtensions failed with: Fn::ForEach layout is incorrect"),
        ("x", "Transform AWS::LanguageExtensions failed with: Fn::ForEach layout is incorrect"),
        (
            "[X, [a, b], {Same: {Type: T}}]",
            (
                "Transform AWS::LanguageExtensions failed with: Duplicate key 'Same' when merging "
                "keys to parent "
                "object in Fn::ForEach"
            ),
        ),
        (
            "[X, !Ref One, {'R${X}': {Type: T}}]",
            (
                "Transform AWS::LanguageExtensions failed with: Fn::ForEach could not resolve the "
                "Collection to a "
                "list of strings"
            ),
        ),
        (
            "[X, [a], {'R${X}': {Type: T, Properties: {P: !Ref Nope}}}]",
            (
                "Template format error: Unresolved resource dependencies [Nope] in the Resources "
                "block of the template"
            ),
        ),
        ("[X, [a], {'R-${X}': {Type: T}}]", "Template format error: Resource name R-a is non alphanumeric."),
    ],
)
def test_wrong_loops_are_refused(loop, message):
    with pytest.raises(AwsError) as refused:
        result(f"Parameters: {{One: {{Type: String, Default: x}}}}\nResources: {{'Fn::ForEach::L': {loop}}}")
    assert refused.value.message == message


def test_loops_that_would_make_too_much_are_refused():
    numbers = ", ".join(map(str, range(60)))
    inner = "{'R${A}x${B}x${C}': {Type: T}}"
    for name in "CBA":
        inner = f"{{'Fn::ForEach::{name}': [{name}, [{numbers}], {inner}]}}"
    with pytest.raises(AwsError, match="Fn::ForEach makes too many members"):
        result(f"Resources: {inner}")


def test_the_transform_of_sam_has_nothing_to_do_in_plain_templates():
    template = parse("Transform: AWS::Serverless-2016-10-31\nResources: {A: {Type: AWS::SNS::Topic}}")
    found = transformed(template, {}, {})
    assert found.resources == template.resources
    assert found.transforms == template.transforms
    assert "Transform" not in found.document


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("Mine", "ValidationError", "No transform named 000000000000::Mine found."),
        (
            "AWS::Include",
            "NotImplemented",
            "The emulator does not perform the transform AWS::Include.",
        ),
    ],
)
def test_other_transforms_are_refused_by_name(name, code, message):
    template = parse(f"Transform: [{name}]\nResources: {{A: {{Type: AWS::Serverless::Function}}}}")
    assert template.transforms == (name,)
    with pytest.raises(AwsError) as refused:
        transformed(template, {}, PSEUDO)
    assert (refused.value.code, refused.value.message) == (code, message)


SERVERLESS = """
Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]
Parameters: {Names: {Type: CommaDelimitedList, Default: 'A,B'}}
Globals: {Function: {Timeout: 7}}
Resources:
  Fn::ForEach::Functions:
    - Name
    - !Ref Names
    - Function${Name}:
        Type: AWS::Serverless::Function
        Properties:
          Handler: index.handler
          Runtime: python3.13
          InlineCode: 'def handler(event, context): return 1'
          Policies: [AmazonS3ReadOnlyAccess]
"""


def test_serverless_resources_become_those_that_they_stand_for():
    template = parse(SERVERLESS)
    found = transformed(template, resolve(template, {}), PSEUDO)
    assert {name: each.type for name, each in found.resources.items()} == {
        "FunctionA": "AWS::Lambda::Function",
        "FunctionARole": "AWS::IAM::Role",
        "FunctionB": "AWS::Lambda::Function",
        "FunctionBRole": "AWS::IAM::Role",
    }
    assert found.resources["FunctionA"].properties["Timeout"] == 7
    assert (
        "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
        in (found.resources["FunctionARole"].properties["ManagedPolicyArns"])
    )


def test_wrong_serverless_resources_are_refused():
    template = parse(SERVERLESS.replace("Handler: index.handler", "Memory: 1"))
    with pytest.raises(AwsError) as refused:
        transformed(template, resolve(template, {}), PSEUDO)
    assert refused.value.message.startswith(
        "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application "
        "Specification document."
    )
    assert "Resource with id [FunctionA] is invalid." in refused.value.message


def test_without_the_translator_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "samtranslator.model.exceptions", None)
    template = parse(SERVERLESS)
    with pytest.raises(AwsError, match=r"pip install 'samjhadoo-emulator\[sam\]'") as refused:
        transformed(template, resolve(template, {}), PSEUDO)
    assert refused.value.code == "NotImplemented"


def test_applications_of_the_repository_are_refused_and_those_in_s3_are_nested_stacks():
    text = (
        "Transform: AWS::Serverless-2016-10-31\nResources: {App: {Type: AWS::Serverless::Application, "
        "Properties: {Location: %s}}}"
    )
    found = transformed(parse(text % "'https://b.s3.amazonaws.com/t.yaml'"), {}, PSEUDO)
    assert found.resources["App"].type == "AWS::CloudFormation::Stack"
    with pytest.raises(
        AwsError, match="^Resource App: the emulator does not have the serverless application"
    ):
        transformed(parse(text % "{ApplicationId: arn, SemanticVersion: 1.0.0}"), {}, PSEUDO)


def test_a_serverless_resource_may_ignore_what_is_global():
    template = parse(
        SERVERLESS.replace("        Properties:", "        IgnoreGlobals: '*'\n        Properties:")
    )
    found = transformed(template, resolve(template, {}), PSEUDO)
    assert "Timeout" not in found.resources["FunctionA"].properties
    with pytest.raises(AwsError, match="^Invalid template resource property 'IgnoreGlobals'$"):
        parse("Resources: {A: {Type: T, IgnoreGlobals: '*'}}")


def test_what_the_translator_does_not_understand_is_refused():
    text = "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: []}\nResources: {A: {Type: T}}"
    with pytest.raises(AwsError, match="^Transform AWS::Serverless-2016-10-31 failed with"):
        transformed(parse(text), {}, PSEUDO)
