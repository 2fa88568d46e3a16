"""Dynamic references and parameters whose values are elsewhere in the account."""

from __future__ import annotations

import asyncio
import json

import pytest
from botocore.exceptions import ClientError
from stack_flows import Flow, parameter, template

from samjhadoo_emulator.cloudformation.language.dynamic_references import check, found_in, resolve
from samjhadoo_emulator.cloudformation.language.parameter_values import check_existing, read_ssm
from samjhadoo_emulator.cloudformation.language.parameters import resolve as resolve_parameters
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.errors import AwsError

SECRET = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:json-AbCdEf"


SSM = {
    "/str": ("String", "hello"),
    "/str:1": ("String", "old"),
    "/list": ("StringList", "a, b"),
    "/secure": ("SecureString", "s3cr3t"),
}
SECRETS = {
    ("json", "", ""): '{"user": "u2", "port": 5432}',
    ("json", "AWSPREVIOUS", ""): '{"user": "u1"}',
    ("json", "", "v0"): '{"user": "u0"}',
    (SECRET, "", ""): '{"user": "by-arn"}',
    ("plain", "", ""): "text",
}


class Account:
    """AWS's API with a few parameters, secrets and subnets."""

    async def call(self, service, operation, /, **params):
        if operation == "GetParameter":
            if params["Name"] not in SSM:
                raise AwsError("ParameterNotFound", "")
            kind, value = SSM[params["Name"]]
            return {"Parameter": {"Name": params["Name"], "Type": kind, "Value": value}}
        if operation == "GetSecretValue":
            key = (params["SecretId"], params.get("VersionStage", ""), params.get("VersionId", ""))
            if key not in SECRETS:
                raise AwsError(
                    "ResourceNotFoundException", "Secrets Manager can't find the specified secret."
                )
            return {"SecretString": SECRETS[key]}
        assert (service, operation) == ("ec2", "DescribeSubnets")
        if params["SubnetIds"] != ["subnet-1"]:
            raise AwsError("InvalidSubnetID.NotFound", "")
        subnet = {"SubnetId": "subnet-1", "VpcId": "vpc-1", "Ipv6Native": False}
        return {"Subnets": [{**subnet, "Tags": [{"Key": "Team", "Value": "web"}]}]}


def resolved(value):
    """Return a value with its references read from the account."""
    return asyncio.run(resolve(value, Account()))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{{resolve:ssm:/str}}", "hello"),
        ("{{resolve:ssm:/str:1}}", "old"),
        ("a-{{resolve:ssm:/str}}-{{resolve:ssm:/str:1}}-b", "a-hello-old-b"),
        ("{{resolve:ssm:/list}}", "a, b"),
        ("{{resolve:ssm-secure:/secure}}", "s3cr3t"),
        ("{{resolve:secretsmanager:plain}}", "text"),
        ("{{resolve:secretsmanager:plain:SecretString}}", "text"),
        ("{{resolve:secretsmanager:json:SecretString:user}}", "u2"),
        ("{{resolve:secretsmanager:json:SecretString:port}}", "5432"),
        ("{{resolve:secretsmanager:json:SecretString:user:AWSPREVIOUS}}", "u1"),
        ("{{resolve:secretsmanager:json:SecretString:user::v0}}", "u0"),
        (f"{{{{resolve:secretsmanager:{SECRET}:SecretString:user}}}}", "by-arn"),
        ("{{resolve:other:x}}", "{{resolve:other:x}}"),
    ],
)
def test_references_are_read(text, value):
    assert resolved(text) == value
    assert resolved({"A": [text, 1]}) == {"A": [value, 1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{{resolve:ssm:/nope}}",
            "Unable to fetch parameters [/nope] from parameter store for this account.",
        ),
        ("{{resolve:ssm:/secure}}", "Non-secure ssm prefix was used for secure parameter /secure"),
        (
            "{{resolve:secretsmanager:json:SecretString:nope}}",
            "Could not find a value associated with JSONKey in SecretString",
        ),
        ("{{resolve:secretsmanager:plain:SecretString:user}}", "Could not parse SecretString JSON"),
        ("{{resolve:secretsmanager:nope}}", "Secrets Manager can't find the specified secret."),
        (
            "{{resolve:secretsmanager:json:SecretBinary}}",
            (
                "Incorrect format is used in the following Secrets Manager reference: "
                "[{{resolve:secretsmanager:json:SecretBinary}}]"
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(AwsError) as refused:
        resolved(text)
    assert refused.value.message == message


@pytest.mark.parametrize(
    ("type_name", "properties", "message"),
    [
        ("AWS::RDS::DBInstance", {"MasterUserPassword": "{{resolve:ssm-secure:/s:1}}"}, ""),
        ("AWS::SNS::Topic", {"TopicName": "{{resolve:ssm:/s}}-{{resolve:secretsmanager:a:b:c}}"}, ""),
        (
            "AWS::SSM::Parameter",
            {"Value": "{{resolve:ssm-secure:/s}}"},
            "SSM Secure reference is not supported in: [AWS::SSM::Parameter/Properties/Value]",
        ),
        (
            "AWS::SNS::Topic",
            {"Tags": [{"Value": "{{resolve:ssm:/s:prod}}"}]},
            "Incorrect format is used in the following SSM reference: [{{resolve:ssm:/s:prod}}]",
        ),
    ],
)
def test_their_form_and_place_is_checked_before(type_name, properties, message):
    if not message:
        check(type_name, properties)
        return
    with pytest.raises(AwsError) as refused:
        check(type_name, properties)
    assert refused.value.message == message


def test_references_are_found_in_nested_values():
    value = {"a": ["x{{resolve:ssm:/a}}y{{resolve:ssm:/b:2}}", {"b": "{{resolve:secretsmanager:c}}"}], "n": 1}
    assert list(found_in(value)) == [
        "{{resolve:ssm:/a}}",
        "{{resolve:ssm:/b:2}}",
        "{{resolve:secretsmanager:c}}",
    ]


def declaring(kind):
    """Return a template with a parameter of a type."""
    return parse(json.dumps({"Parameters": {"P": {"Type": kind}}, "Resources": {"Res": {"Type": "T"}}}))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("AWS::SSM::Parameter::Value<String>", "/str:1", "old"),
        ("AWS::SSM::Parameter::Value<List<String>>", "/list", "a, b"),
        ("String", "/str", None),
    ],
)
def test_ssm_parameters_are_read(kind, name, value):
    found = asyncio.run(read_ssm(declaring(kind), {"P": name}, Account()))
    assert found == ({"P": value} if value else {})


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        (
            "AWS::SSM::Parameter::Value<String>",
            "/nope",
            "Unable to fetch parameters [/nope] from parameter store for this account.",
        ),
        (
            "AWS::SSM::Parameter::Value<String>",
            "/secure",
            "Parameters [/secure] referenced by template have types not supported by CloudFormation.",
        ),
        (
            "AWS::SSM::Parameter::Value<String>",
            "/list",
            "Types for SSM parameters [/list] defined in CFN template and SSM are incompatible",
        ),
        (
            "AWS::SSM::Parameter::Value<CommaDelimitedList>",
            "/str",
            "Types for SSM parameters [/str] defined in CFN template and SSM are incompatible",
        ),
    ],
)
def test_ssm_parameters_must_exist_and_fit(kind, name, message):
    with pytest.raises(AwsError) as refused:
        asyncio.run(read_ssm(declaring(kind), {"P": name}, Account()))
    assert refused.value.message == message


def existing(kind, text):
    """Return the attributes of what a parameter names."""
    template = declaring(kind)
    return asyncio.run(check_existing(template, resolve_parameters(template, {"P": text}), Account()))


def test_what_parameters_of_types_of_aws_name_must_exist():
    assert existing("List<AWS::EC2::Subnet::Id>", "subnet-1,subnet-1") == {
        "subnet-1": {"SubnetId": "subnet-1", "VpcId": "vpc-1", "Tags.Team": "web"}
    }
    assert set(existing("AWS::SSM::Parameter::Name", "/str")) == {"/str"}
    assert existing("String", "anything") == {}
    with pytest.raises(AwsError) as refused:
        existing("List<AWS::EC2::Subnet::Id>", "subnet-1,subnet-2")
    assert refused.value.message == (
        "Parameter validation failed: parameter value subnet-2 for parameter name P does not exist"
    )
    with pytest.raises(AwsError, match="parameter value /nope for parameter name P does not exist"):
        existing("AWS::SSM::Parameter::Name", "/nope")


def test_a_stack_gets_what_its_references_refer_to(flow: Flow) -> None:
    flow.emulator.client("ssm").put_parameter(Name="/word", Value="hello", Type="String")
    secret = flow.emulator.client("secretsmanager").create_secret(Name="login", SecretString='{"user": "u"}')
    text = "{{resolve:ssm:/word:1}}-{{resolve:secretsmanager:login:SecretString:user}}"
    flow.create("referring", template({"Said": parameter(text)}))
    assert flow.parameters()[flow.physical("referring")["Said"]] == "hello-u"
    flow.emulator.client("ssm").delete_parameter(Name="/word")
    flow.emulator.client("secretsmanager").delete_secret(
        SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True
    )


def test_a_stack_with_references_of_the_wrong_form_is_refused(flow: Flow) -> None:
    with pytest.raises(ClientError, match="Incorrect format is used in the following SSM reference"):
        flow.create("labelled", template({"Said": parameter("{{resolve:ssm:/word:label}}")}))
    with pytest.raises(
        ClientError, match="SSM Secure reference is not supported in: .AWS::SSM::Parameter/Prop"
    ):
        flow.create("secure", template({"Said": parameter("{{resolve:ssm-secure:/word:1}}")}))
