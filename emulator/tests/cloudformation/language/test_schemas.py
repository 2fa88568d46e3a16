"""Resource types' schemas: what cfn-lint's data says, and properties against it, in AWS's words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from samjhadoo_emulator.cloudformation.language import schemas
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN
from samjhadoo_emulator.cloudformation.language.schema_walk import SchemaWalk
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.errors import AwsError


def test_a_schema_tells_what_aws_publishes():
    database = schemas.schema("AWS::RDS::DBInstance")
    assert {"DBName", "StorageEncrypted"} <= database.create_only
    assert "MultiAZ" in database.conditional_create_only
    assert {"Endpoint.Address", "DBInstanceArn"} <= database.attributes
    assert "MasterUserPassword" in database.write_only
    assert database.primary_identifier == ("DBInstanceIdentifier",)
    assert database.tag_property == "Tags"
    assert database.registered
    assert schemas.schema("AWS::EC2::Subnet").required == ("VpcId",)
    assert schemas.schema("AWS::Nope::Nope") is None


def test_custom_resources_take_any_property():
    schemas.check("Custom::Mine", {"ServiceToken": "arn", "Anything": {"a": 1}}, "Mine")
    assert schemas.schema("Custom::Mine").has_attribute("Whatever.It.Is")


def test_descriptions_are_not_kept():
    assert "description" not in schemas.schema("AWS::EC2::VPC").document["properties"]["CidrBlock"]


def test_cfn_lint_itself_is_never_imported():
    code = (
        "import sys; from samjhadoo_emulator.cloudformation.language import schemas;"
        "schemas.schema('AWS::EC2::VPC');"
        "print({'cfnlint', 'sympy', 'networkx'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "set()\n"


@pytest.mark.parametrize(
    ("type_name", "properties", "coerced"),
    [
        ("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": "true"}, {"MapPublicIpOnLaunch": True}),
        ("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": "FALSE"}, {"MapPublicIpOnLaunch": False}),
        ("AWS::EC2::Subnet", {"MapPublicIpOnLaunch": "maybe"}, {"MapPublicIpOnLaunch": "maybe"}),
        ("AWS::ECS::Service", {"DesiredCount": "2"}, {"DesiredCount": 2}),
        ("AWS::ECS::Service", {"DesiredCount": "2.5"}, {"DesiredCount": "2.5"}),
        ("AWS::EC2::VPC", {"Tags": [{"Key": 1, "Value": True}]}, {"Tags": [{"Key": "1", "Value": "true"}]}),
        ("AWS::CloudWatch::Alarm", {"Threshold": "0.5"}, {"Threshold": 0.5}),
        ("AWS::CloudWatch::Alarm", {"Threshold": "nan"}, {"Threshold": "nan"}),
        ("AWS::CloudWatch::Alarm", {"Threshold": "1_0"}, {"Threshold": "1_0"}),
        ("AWS::CloudWatch::Alarm", {"Threshold": "1e2"}, {"Threshold": 100.0}),
        (
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": {"V": "1"}},
            {"AssumeRolePolicyDocument": {"V": "1"}},
        ),
        ("AWS::ECS::Service", {"DesiredCount": UNKNOWN}, {"DesiredCount": UNKNOWN}),
        ("AWS::Nope::Nope", {"A": "1"}, {"A": "1"}),
    ],
)
def test_scalars_get_the_types_of_the_schema(type_name, properties, coerced):
    found = schemas.coerce(type_name, properties)
    assert found == coerced
    assert repr(found) == repr(coerced)  # True is not 1


@pytest.mark.parametrize(
    ("type_name", "properties", "problems"),
    [
        ("AWS::EC2::Subnet", {"VpcId": "vpc-1"}, []),
        ("AWS::EC2::Subnet", {}, ["#: required key [VpcId] not found"]),
        ("AWS::EC2::Subnet", {"VpcId": "vpc-1", "Nope": 1}, ["#: extraneous key [Nope] is not permitted"]),
        (
            "AWS::EC2::Subnet",
            {"VpcId": "vpc-1", "SubnetId": "s"},
            ["#: extraneous key [SubnetId] is not permitted"],
        ),
        (
            "AWS::EC2::Subnet",
            {"VpcId": "vpc-1", "Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Nope": "b"}]},
            ["#/Tags/1: required key [Value] not found", "#/Tags/1: extraneous key [Nope] is not permitted"],
        ),
        ("AWS::EC2::Subnet", {"VpcId": ["a"]}, ["#/VpcId: expected type: String, found: JSONArray"]),
        ("AWS::EC2::Subnet", {"VpcId": {"a": 1}}, ["#/VpcId: expected type: String, found: JSONObject"]),
        (
            "AWS::ECS::Service",
            {"DeploymentConfiguration": "x", "DesiredCount": "x", "EnableECSManagedTags": 1},
            [
                "#/DeploymentConfiguration: expected type: JSONObject, found: String",
                "#/DesiredCount: expected type: Number, found: String",
                "#/EnableECSManagedTags: expected type: Boolean, found: Integer",
            ],
        ),
        (
            "AWS::ECS::Service",
            {"DesiredCount": 1.5},
            ["#/DesiredCount: expected type: Integer, found: BigDecimal"],
        ),
        (
            "AWS::ECS::Service",
            {"LaunchType": "NOPE"},
            ["#/LaunchType: failed validation constraint for keyword [enum]"],
        ),
        ("AWS::RDS::DBSubnetGroup", {"DBSubnetGroupDescription": "d", "SubnetIds": [UNKNOWN, UNKNOWN]}, []),
        ("AWS::ElasticLoadBalancingV2::LoadBalancer", {"Subnets": [UNKNOWN, UNKNOWN]}, []),
        ("AWS::ECS::Service", {"LaunchType": UNKNOWN, "DesiredCount": "{{resolve:ssm:/n}}"}, []),
        (
            "AWS::Lambda::Permission",
            {"Action": "!", "FunctionName": "f", "Principal": "p"},
            ["#/Action: failed validation constraint for keyword [pattern]"],
        ),
    ],
)
def test_properties_are_checked_in_the_words_of_the_registry(type_name, properties, problems):
    assert [str(problem) for problem in schemas.problems(type_name, properties)] == problems
    if problems:
        with pytest.raises(AwsError) as refused:
            schemas.check(type_name, properties, "Mine")
        assert refused.value.message == "\n".join(
            ["Properties validation failed for resource Mine with message:", *problems]
        )
    else:
        schemas.check(type_name, properties, "Mine")


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"ListenerArn": "arn"}, "Property Certificates cannot be empty."),
        ({"ListenerArn": "arn", "Certificates": [], "Nope": 1}, "Encountered unsupported property Nope"),
        (
            {"ListenerArn": "arn", "Certificates": "x"},
            "Value of property Certificates must be of type List of String",
        ),
        ({"ListenerArn": {}, "Certificates": []}, "Value of property ListenerArn must be of type String"),
        (
            {"ListenerArn": "arn", "Certificates": ["x"]},
            "Value of property Certificates/0 must be an object",
        ),
    ],
)
def test_older_types_have_their_own_words(properties, message):
    with pytest.raises(AwsError) as refused:
        schemas.check("AWS::ElasticLoadBalancingV2::ListenerCertificate", properties, "Mine")
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        ({"minLength": 2}, "a", "#: expected minLength: 2, actual: 1"),
        ({"maxLength": 2}, "abc", "#: expected maxLength: 2, actual: 3"),
        ({"minimum": 2}, 1, "#: failed validation constraint for keyword [minimum]"),
        ({"maximum": 2}, 3, "#: failed validation constraint for keyword [maximum]"),
        ({"exclusiveMinimum": 2}, 2, "#: failed validation constraint for keyword [exclusiveMinimum]"),
        ({"exclusiveMaximum": 2}, 2, "#: failed validation constraint for keyword [exclusiveMaximum]"),
        ({"multipleOf": 2}, 3, "#: failed validation constraint for keyword [multipleOf]"),
        ({"multipleOf": 0.1}, 10, None),
        ({"multipleOf": 0.1}, 2.35, "#: failed validation constraint for keyword [multipleOf]"),
        ({"const": 2}, 3, "#: failed validation constraint for keyword [const]"),
        ({"minItems": 1}, [], "#: expected minimum item count: 1, found: 0"),
        ({"maxItems": 1}, [1, 2], "#: expected maximum item count: 1, found: 2"),
        ({"uniqueItems": True}, [{"a": 1, "b": 2}, {"b": 2, "a": 1}], "#: array items are not unique"),
        ({"minProperties": 1}, {}, "#: minimum size: [1], found: [0]"),
        ({"maxProperties": 0}, {"a": 1}, "#: maximum size: [0], found: [1]"),
        ({"dependencies": {"a": ["b"]}}, {"a": 1}, "#: property [b] is required"),
        ({"anyOf": [{"type": "string"}, {"required": ["a"]}]}, 1, None),
        (
            {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            "#: #: no subschema matched out of the total 2 subschemas",
        ),
        (
            {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
            {},
            "#: #: 0 subschemas matched instead of one",
        ),
        ({"oneOf": [{"type": "object"}, {}]}, {}, "#: #: 2 subschemas matched instead of one"),
        ({"allOf": [{"required": ["a"]}, {"type": "object"}]}, {}, "#: required key [a] not found"),
        (
            {"patternProperties": {"^[a-z]+$": {"type": "string"}}, "additionalProperties": False},
            {"A": "x"},
            "#: extraneous key [A] is not permitted",
        ),
        (
            {"patternProperties": {"^[a-z]+$": {"type": "string"}}},
            {"a": 1},
            "#/a: expected type: String, found: Integer",
        ),
        (
            {"additionalProperties": {"type": "string"}},
            {"a": 1},
            "#/a: expected type: String, found: Integer",
        ),
        ({"type": ["object", "string"]}, 1, "#: expected type: JSONObject or String, found: Integer"),
        ({"type": "string"}, None, "#: expected type: String, found: Null"),
    ],
)
def test_each_keyword_has_its_text(schema, value, problem):
    assert [str(each) for each in SchemaWalk(schema).problems(value)] == ([problem] if problem else [])


def test_references_and_loops_of_references_are_followed():
    tree = {
        "properties": {"child": {"$ref": "#/definitions/Node"}, "odd": {"$ref": "#/definitions/Odd"}},
        "definitions": {
            "Node": {
                "type": "object",
                "properties": {"child": {"$ref": "#/definitions/Node"}, "n": {"type": "integer"}},
            },
            "Odd": {"$ref": "#/definitions/Odd"},
        },
    }
    walk = SchemaWalk(tree)
    value = {"child": {"child": {"n": "1"}}, "odd": 1}
    assert walk.coerced(value) == {"child": {"child": {"n": 1}}, "odd": 1}
    assert [str(each) for each in walk.problems(value)] == [
        "#/child/child/n: expected type: Number, found: String"
    ]


def test_values_are_converted_for_the_branch_that_they_match():
    schema = {
        "oneOf": [
            {"properties": {"Kind": {"const": "a"}, "N": {"type": "integer"}}, "required": ["Kind"]},
            {"properties": {"Other": {"type": "boolean"}}, "required": ["Other"]},
        ]
    }
    assert SchemaWalk(schema).coerced({"Kind": "a", "N": "1"}) == {"Kind": "a", "N": 1}
    assert SchemaWalk(schema).coerced({"Other": "true"}) == {"Other": True}


def test_types_and_attributes_of_a_template_are_checked():
    schemas.check_types(
        parse("Resources: {A: {Type: AWS::EC2::VPC}}\nOutputs: {O: {Value: !GetAtt A.CidrBlock}}")
    )
    with pytest.raises(
        AwsError, match=r"^Template format error: Unrecognized resource types: " r"\[AWS::A::B, C\]$"
    ):
        schemas.check_types(parse("Resources: {A: {Type: C}, B: {Type: AWS::A::B}}"))
    with pytest.raises(
        AwsError, match="^Template error: resource A does not support attribute type Nope in Fn::GetAtt"
    ):
        schemas.check_types(
            parse("Resources: {A: {Type: AWS::EC2::VPC}}\nOutputs: {O: {Value: !GetAtt A.Nope}}")
        )
