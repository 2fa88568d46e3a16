"""Intrinsic functions: what they return, what is not known yet, and how misuse is refused."""

from __future__ import annotations

import pytest

from samjhadoo_emulator.cloudformation.language.context import UNKNOWN, Context, pseudo_parameters
from samjhadoo_emulator.cloudformation.language.functions import evaluate, is_unknown
from samjhadoo_emulator.cloudformation.language.template_text import load
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError

STACK = "arn:aws:cloudformation:eu-west-1:000000000000:stack/s/1"
CONTEXT = Context(
    parameters={"Name": "web", "Subnets": ["s-1", "s-2"], "Port": "80", "Part": "Address", "Kind": "vpc"},
    mappings={"Regions": {"eu-west-1": {"Ami": "ami-1", "Zones": ["a", "b"], "Count": 2}}},
    conditions={"On1": True, "Off1": False},
    pseudo=pseudo_parameters(
        region="eu-west-1", account="000000000000", stack_name="s", stack_id=STACK, topics=("arn:t",)
    ),
    resources={
        "Db": Resource("db-1", {"Endpoint.Address": "db.local", "Endpoint.Port": 5432, "Zones": ["z"]})
    },
    exports={"net-vpc": "vpc-1"},
    outputs={("us-east-1", "edge", "Arn"): "arn:edge", ("eu-west-1", "net", "Vpc"): "vpc-2"},
    zones={"eu-west-1": ["eu-west-1a", "eu-west-1b"], "us-east-1": ["us-east-1a"]},
    extensions=True,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("!Ref Name", "web"),
        ("!Ref Subnets", ["s-1", "s-2"]),
        ("!Ref Db", "db-1"),
        ("!Ref AWS::Region", "eu-west-1"),
        ("!Ref AWS::URLSuffix", "amazonaws.com"),
        ("!Ref AWS::NotificationARNs", ["arn:t"]),
        ("!GetAtt Db.Endpoint.Address", "db.local"),
        ("!GetAtt [Db, Endpoint.Port]", 5432),
        ("!GetAtt [Db, !Sub 'Endpoint.${Part}']", "db.local"),
        ("!Sub 'x-${Name}:${Db.Endpoint.Port}-${AWS::AccountId}'", "x-web:5432-000000000000"),
        ("!Sub ['${A}/${Name}', {A: !Ref Port}]", "80/web"),
        ("!Sub ['${Name}', {Name: own}]", "own"),
        ("!Sub '${!Name} $ {} ${!x${Name}'", "${Name} $ {} ${!xweb"),
        ("!Sub ''", ""),
        ("!Join [',', [a, !Ref Port, 1, true]]", "a,80,1,true"),
        ("!Join ['', !Ref Subnets]", "s-1s-2"),
        ("!Join ['-', []]", ""),
        ("!Join ['-', [a, !Ref AWS::NoValue, b]]", "a-b"),
        ("!Split [',', 'a,b,,c']", ["a", "b", "", "c"]),
        ("!Select [1, [a, b]]", "b"),
        ("!Select ['0', !Ref Subnets]", "s-1"),
        (
            "!Select [0, !Split ['/', !Ref AWS::StackId]]",
            "arn:aws:cloudformation:eu-west-1:000000000000:stack",
        ),
        ("!FindInMap [Regions, !Ref AWS::Region, Ami]", "ami-1"),
        ("!FindInMap [Regions, eu-west-1, Zones]", ["a", "b"]),
        ("!FindInMap [Regions, nowhere, Ami, {DefaultValue: !Ref Name}]", "web"),
        ("!FindInMap [Nowhere, x, y, {DefaultValue: 1}]", 1),
        ("!Base64 hello", "aGVsbG8="),
        ("!Base64 {'Fn::Sub': '${Name}'}", "d2Vi"),
        ("!GetAZs ''", ["eu-west-1a", "eu-west-1b"]),
        ("!GetAZs us-east-1", ["us-east-1a"]),
        ("!GetAZs {Ref: AWS::Region}", ["eu-west-1a", "eu-west-1b"]),
        ("!GetAZs nowhere", []),
        ("!ImportValue {'Fn::Sub': 'net-${Kind}'}", "vpc-1"),
        ("!ImportValue net-vpc", "vpc-1"),
        ("!GetStackOutput {StackName: edge, OutputName: Arn, Region: us-east-1}", "arn:edge"),
        ("!GetStackOutput {StackName: net, OutputName: Vpc}", "vpc-2"),
        ("!If [On1, a, !Ref Nowhere]", "a"),
        ("!If [Off1, a, !If [On1, b, c]]", "b"),
        ("!If [Off1, a, !Ref AWS::NoValue]", None),
        ("{a: 1, b: !If [Off1, x, !Ref AWS::NoValue]}", {"a": 1}),
        ("[a, !If [On1, !Ref AWS::NoValue, x], b]", ["a", "b"]),
        ("!Cidr ['192.168.0.0/24', 6, 5]", [f"192.168.0.{32 * n}/27" for n in range(6)]),
        ("!Cidr ['10.0.7.9/16', '2', '8']", ["10.0.0.0/24", "10.0.1.0/24"]),
        ("!Cidr ['10.0.0.0/16', 1]", ["10.0.0.0/24"]),
        ("!Cidr ['2600:1f18:abc:de00::/56', 2, 64]", ["2600:1f18:abc:de00::/64", "2600:1f18:abc:de01::/64"]),
        ("!Length [a, !Ref Name]", 2),
        ("!Length {Ref: Subnets}", 2),
        ("!ToJsonString {a: [1, !Ref Name], b: true}", '{"a":[1,"web"],"b":true}'),
        ("{Condition: {Bool: x}}", {"Condition": {"Bool": "x"}}),
        ("'{{resolve:ssm:/a}}'", "{{resolve:ssm:/a}}"),
    ],
)
def test_values(text, value):
    assert evaluate(load(f"- {text}")[0], CONTEXT) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "!Ref Nope",
            "Template format error: Unresolved resource dependencies [Nope] in the Resources block",
        ),
        ("!GetAtt Db.Nope", "Template error: resource Db does not support attribute type Nope in Fn::GetAtt"),
        (
            "!Sub '${Subnets}'",
            "Template error: variable Subnets in Fn::Sub expression does not resolve to a string",
        ),
        ("!Join [',', !Ref Name]", "Template error: every Fn::Join object requires two parameters"),
        ("!Join [',', [!Ref Subnets]]", "Template error: every Fn::Join object requires two parameters"),
        ("!Split [',', !Ref Subnets]", "Template error: every Fn::Split object requires two parameters"),
        ("!Split ['', abc]", "Template error: every Fn::Split object requires two parameters"),
        ("!Select [2, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index 2"),
        ("!Select [-1, [a, b]]", "Template error: Fn::Select cannot select nonexistent value at index -1"),
        (
            "!Select [x, [a, b]]",
            (
                "Template error: Fn::Select requires a list argument with a valid index value as its "
                "first element"
            ),
        ),
        ("!Select [0, a]", "Template error: Fn::Select requires a list argument with two elements"),
        (
            "!FindInMap [Regions, eu-west-1, Nope]",
            "Template error: Unable to get mapping for Regions::eu-west-1::Nope",
        ),
        (
            "!FindInMap [Nope, a, b]",
            "Template error: Mapping named 'Nope' is not present in the 'Mappings' section",
        ),
        ("!FindInMap [a, b]", "Template error: every Fn::FindInMap object requires three parameters"),
        ("!Base64 [a]", "Template error: every Fn::Base64 object must have a String-typed value."),
        ("!GetAZs [a]", "Template error: every Fn::GetAZs object must have a String-typed value."),
        ("!ImportValue nope", "No export named nope found."),
        ("!GetStackOutput {StackName: net}", "Template error: every Fn::GetStackOutput object requires"),
        (
            "!GetStackOutput {StackName: net, OutputName: X}",
            "Output X of stack net does not exist in eu-west-1.",
        ),
        ("!If [Nope, a, b]", "Template error: unresolved condition dependency Nope in Fn::If"),
        (
            "!Cidr ['10.0.0.0/24', 9, 5]",
            "Template error: Fn::Cidr cannot fit 9 blocks with 5 CIDR bits in 10.0.0.0/24",
        ),
        ("!Cidr ['10.0.0.0/24', 0, 5]", "Template error: Fn::Cidr count must be between 1 and 256"),
        ("!Cidr ['10.0.0.0/24', 1, x]", "Template error: Fn::Cidr count must be between 1 and 256"),
        ("!Cidr ['10.0.0/16', 1, 8]", "Template error: Fn::Cidr ipBlock 10.0.0/16 is not a valid CIDR block"),
        ("!Cidr [a]", "Template error: every Fn::Cidr object requires"),
        ("!Transform {Name: Mine}", "No transform named Mine found."),
        (
            "{'Fn::Nope': 1}",
            "Template error: Encountered unsupported function: Fn::Nope Supported functions are:",
        ),
    ],
)
def test_misuse_is_refused_in_the_words_of_aws(text, message):
    with pytest.raises(AwsError) as refused:
        evaluate(load(f"- {text}")[0], CONTEXT)
    assert refused.value.message.startswith(message)


@pytest.mark.parametrize(
    "text", ["!Length [a]", "!ToJsonString {a: 1}", "!FindInMap [a, b, c, {DefaultValue: 1}]"]
)
def test_language_extensions_need_their_transform(text):
    with pytest.raises(AwsError):
        evaluate(load(f"- {text}")[0], Context())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("!Ref New", UNKNOWN),
        ("!GetAtt New.Arn", UNKNOWN),
        ("!GetAtt Db.Other", UNKNOWN),
        ("!Sub 'a-${New}'", UNKNOWN),
        ("!Sub ['${A}', {A: !Ref New}]", UNKNOWN),
        ("!Join ['-', [a, !Ref New]]", UNKNOWN),
        ("!Join ['-', !GetAtt New.List]", UNKNOWN),
        ("!Split ['-', !Ref New]", UNKNOWN),
        ("!Select [0, [!Ref New, a]]", UNKNOWN),
        ("!Select [1, [!Ref New, a]]", "a"),
        ("!Base64 {Ref: New}", UNKNOWN),
        ("!Cidr [!GetAtt New.CidrBlock, 1, 8]", UNKNOWN),
        ("!GetAZs nowhere", UNKNOWN),
        ("!Select [0, !GetAZs '']", UNKNOWN),
        ("!ImportValue nope", UNKNOWN),
        ("!ImportValue {Ref: New}", UNKNOWN),
        ("!GetStackOutput {StackName: nope, OutputName: X}", UNKNOWN),
        ("!ToJsonString {a: !Ref New}", UNKNOWN),
        ("{a: [!Ref New], b: !Ref Db}", {"a": [UNKNOWN], "b": "db-1"}),
    ],
)
def test_what_does_not_exist_yet_may_be_unknown(text, value):
    context = Context(
        pseudo=CONTEXT.pseudo, resources=CONTEXT.resources, unknown_resources=True, extensions=True
    )
    found = evaluate(load(f"- {text}")[0], context)
    assert found == value
    assert is_unknown(found) is (value != "a")


def test_partitions_follow_the_region():
    china = pseudo_parameters(region="cn-north-1", account="1", stack_name="s", stack_id="i")
    assert (china["AWS::Partition"], china["AWS::URLSuffix"]) == ("aws-cn", "amazonaws.com.cn")
