"""Parameters: which values a stack gets, and AWS's words for those that it does not."""

from __future__ import annotations

import json

import pytest

from samjhadoo_emulator.cloudformation.language.parameters import Parameter, given, resolve, ssm_names
from samjhadoo_emulator.cloudformation.language.template import parse
from samjhadoo_emulator.errors import AwsError


def declaring(**parameters):
    """Return a template with these parameters."""
    return parse(json.dumps({"Parameters": parameters, "Resources": {"Res": {"Type": "AWS::SNS::Topic"}}}))


def refusal(declared, value):
    """Return the text that a value is refused with."""
    with pytest.raises(AwsError) as refused:
        resolve(declaring(P=declared), {"P": value})
    assert refused.value.code == "ValidationError"
    return refused.value.message


@pytest.mark.parametrize(
    ("declared", "text", "value"),
    [
        ({"Type": "String"}, "a, b", "a, b"),
        ({"Type": "Number"}, "8080", "8080"),
        ({"Type": "CommaDelimitedList"}, "a, b ,,c", ["a", "b", "", "c"]),
        ({"Type": "CommaDelimitedList"}, "", [""]),
        ({"Type": "List<Number>"}, "80, 443", ["80", "443"]),
        ({"Type": "List<AWS::EC2::Subnet::Id>"}, "subnet-1,subnet-2", ["subnet-1", "subnet-2"]),
        ({"Type": "AWS::EC2::VPC::Id"}, "vpc-1", "vpc-1"),
        ({"Type": "AWS::SSM::Parameter::Name"}, "/a", "/a"),
        ({"Type": "String", "AllowedValues": [True, 5, "x"]}, "true", "true"),
        ({"Type": "String", "AllowedPattern": "[a-z]+"}, "abc", "abc"),
        ({"Type": "String", "AllowedPattern": r"[\p{L}]+"}, "é", "é"),
        ({"Type": "Number", "MinValue": 1, "MaxValue": "2.5"}, "2.5", "2.5"),
        ({"Type": "String", "MinLength": "1", "MaxLength": 3}, "abc", "abc"),
    ],
)
def test_values_have_their_parameters_type(declared, text, value):
    assert resolve(declaring(P=declared), {"P": text})["P"] == Parameter(value=value, text=text)


@pytest.mark.parametrize(("default", "text"), [("x", "x"), (1, "1"), (1.5, "1.5"), (True, "true"), ("", "")])
def test_what_is_not_given_has_its_default(default, text):
    assert resolve(declaring(P={"Type": "String", "Default": default}), {})["P"].text == text


def test_what_is_not_to_be_echoed_is_hidden():
    parameter = resolve(declaring(P={"Type": "String", "NoEcho": "true"}), {"P": "secret"})["P"]
    assert (parameter.value, parameter.shown) == ("secret", "****")


@pytest.mark.parametrize(
    ("declared", "value", "problem"),
    [
        ({"Type": "String", "AllowedValues": ["a", "b"]}, "c", "must be one of AllowedValues"),
        ({"Type": "CommaDelimitedList", "AllowedValues": ["a", "b"]}, "a,c", "must be one of AllowedValues"),
        ({"Type": "String", "AllowedPattern": "^a"}, "ab", "must match pattern ^a"),
        ({"Type": "String", "MinLength": 3}, "ab", "must contain at least 3 characters"),
        ({"Type": "String", "MaxLength": 1}, "ab", "must contain at most 1 characters"),
        ({"Type": "Number"}, "ab", "must be a number"),
        ({"Type": "Number"}, "1_000", "must be a number"),
        ({"Type": "Number"}, "nan", "must be a number"),
        ({"Type": "Number"}, "", "must be a number"),
        ({"Type": "List<Number>"}, "1,b", "must be a number"),
        ({"Type": "Number", "MinValue": 5}, "4", "must be a number not less than 5"),
        ({"Type": "Number", "MaxValue": 5}, "6", "must be a number not greater than 5"),
        ({"Type": "String"}, "é" * 2049, "value '[****]' length is greater than 4096."),
    ],
)
def test_values_out_of_their_range_are_refused(declared, value, problem):
    assert refusal(declared, value) == f"Parameter 'P' {problem}"


def test_a_constraint_may_be_described():
    declared = {"Type": "Number", "MinValue": 5, "ConstraintDescription": "must be at least five."}
    assert refusal(declared, "4") == "Parameter P failed to satisfy constraint: must be at least five."


def test_all_missing_and_all_unknown_parameters_are_named():
    template = declaring(P={"Type": "String"}, Q={"Type": "String"})
    with pytest.raises(AwsError, match=r"^Parameters: \[P, Q\] must have values$"):
        resolve(template, {})
    with pytest.raises(AwsError, match=r"^Parameters: \[X, Y\] do not exist in the template$"):
        resolve(template, {"X": "1", "P": "1", "Y": "1"})


def test_parameters_of_ssm_have_the_value_that_was_read():
    template = declaring(
        P={"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/a"},
        L={"Type": "AWS::SSM::Parameter::Value<List<String>>"},
        O={"Type": "String", "Default": "x"},
    )
    assert ssm_names(template, {"L": "/l:2"}) == {"P": "/a", "L": "/l:2"}
    found = resolve(template, {"L": "/l:2"}, ssm={"P": "value", "L": "a, b ,c"})
    assert found["P"] == Parameter(value="value", text="/a", resolved="value")
    assert found["L"] == Parameter(value=["a", "b", "c"], text="/l:2", resolved="a,b,c")


def test_what_is_allowed_of_ssm_parameters_are_their_names():
    declared = {"Type": "AWS::SSM::Parameter::Value<String>", "AllowedPattern": "^/cfn.*$"}
    assert resolve(declaring(P=declared), {"P": "/cfn/x"}, ssm={"P": "hello"})["P"].value == "hello"
    assert refusal(declared, "/other") == "Parameter 'P' must match pattern ^/cfn.*$"


def test_a_request_gives_values_or_keeps_previous_ones():
    request = [
        {"ParameterKey": "A", "ParameterValue": "1"},
        {"ParameterKey": "B", "UsePreviousValue": True},
        {"ParameterKey": "C"},
    ]
    assert given(request, {"A": "0", "B": "2"}) == {"A": "1", "B": "2", "C": ""}


@pytest.mark.parametrize(
    ("request_", "previous", "message"),
    [
        ([{"ParameterKey": "B", "UsePreviousValue": True}], None, "Invalid input for parameter key B"),
        ([{"ParameterKey": "B", "UsePreviousValue": True}], {"A": "1"}, "Invalid input for parameter key B"),
        (
            [{"ParameterKey": "B", "UsePreviousValue": True, "ParameterValue": "1"}],
            {"B": "1"},
            "Invalid input for parameter key B. Cannot specify usePreviousValue as true and a value",
        ),
        ([{"ParameterKey": "A"}, {"ParameterKey": "A"}], None, r"Duplicate parameter keys: \[A\]"),
    ],
)
def test_contradicting_requests_are_refused(request_, previous, message):
    with pytest.raises(AwsError, match=message):
        given(request_, previous)


@pytest.mark.parametrize(
    ("type_name", "known"),
    [
        ("String", True),
        ("List<String>", True),
        ("AWS::SSM::Parameter::Value<CommaDelimitedList>", True),
        ("AWS::SSM::Parameter::Value<List<AWS::EC2::Image::Id>>", True),
        ("AWS::Route53::HostedZone::Id", True),
        ("AWS::SSM::Parameter::Value<Number>", False),
        ("List<CommaDelimitedList>", False),
        ("List<String", False),
        ("Boolean", False),
        ("AWS::EC2::NatGateway::Id", False),
    ],
)
def test_types_are_those_of_aws(type_name, known):
    if known:
        declaring(P={"Type": type_name})
    else:
        with pytest.raises(AwsError, match=f"Unrecognized parameter type: {type_name}$"):
            declaring(P={"Type": type_name})
