"""What does not fit the model of an operation is refused by every live service, in AWS's words."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import boto3
import cbor2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_emulator import cbor, wire
from samjhadoo_emulator.errors import AwsError

STATES = "[OK, ALARM, INSUFFICIENT_DATA]"


def refusal(service: str, operation: str, document: Any, protocol: str = "json") -> tuple[str, str]:
    """Return code and message of the refusal of a request, two empty texts if it is accepted."""
    write = {"json": lambda each: json.dumps(each).encode(), cbor.PROTOCOL: cbor2.dumps, "query": bytes}
    body = write[protocol](document)
    try:
        wire.parse(service, operation, method="POST", path="/", headers={}, body=body, protocol=protocol)
    except AwsError as error:
        return error.code, error.message
    return "", ""


def detected(*sentences: str) -> str:
    count = f"{len(sentences)} validation error{'s' if len(sentences) > 1 else ''} detected: "
    return count + "; ".join(sentences)


def ecr_refuses(path: str, constraint: str) -> tuple[str, str]:
    return (
        "InvalidParameterException",
        f"Invalid parameter at '{path}' failed to satisfy constraint: '{constraint}'",
    )


@pytest.mark.parametrize(
    ("service", "operation", "document", "expected"),
    [
        pytest.param(
            "ecs",
            "RunTask",
            {"taskDefinition": "a", "launchType": "MOON"},
            (
                "InvalidParameterException",
                "launch type should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ),
            id="ecs-enum",
        ),
        pytest.param(
            "ecs",
            "RegisterTaskDefinition",
            {"family": "a"},
            ("ClientException", "ContainerDefinitions should not be null or empty."),
            id="ecs-missing",
        ),
        pytest.param(
            "ecr",
            "PutImageTagMutability",
            {"repositoryName": "ab", "imageTagMutability": "SOMETIMES"},
            ecr_refuses(
                "imageTagMutability",
                "Member must satisfy enum value set: "
                "[MUTABLE, IMMUTABLE, IMMUTABLE_WITH_EXCLUSION, MUTABLE_WITH_EXCLUSION]",
            ),
            id="ecr-enum",
        ),
        pytest.param(
            "ecr",
            "CreateRepository",
            {"repositoryName": "ab", "encryptionConfiguration": {}},
            ecr_refuses("encryptionConfiguration.encryptionType", "Member must not be null"),
            id="ecr-missing",
        ),
        pytest.param(
            "application-autoscaling",
            "DescribeScalingPolicies",
            {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:Colour", "PolicyNames": [""]},
            ("ValidationException", "2 validation errors detected: Value "),
            id="several",
        ),
        pytest.param(
            "application-autoscaling",
            "DescribeScalableTargets",
            {},
            (
                "ValidationException",
                detected(
                    "Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null"
                ),
            ),
            id="autoscaling-missing",
        ),
        pytest.param(
            "cloudwatch",
            "SetAlarmState",
            {"AlarmName": "a", "StateReason": "b", "StateValue": "RED"},
            (
                "ValidationError",
                detected(
                    "Value 'RED' at 'stateValue' failed to satisfy constraint: "
                    f"Member must satisfy enum value set: {STATES}"
                ),
            ),
            id="cloudwatch-enum",
        ),
    ],
)
def test_each_service_refuses_in_its_words(
    service: str, operation: str, document: dict[str, Any], expected: tuple[str, str]
) -> None:
    code, message = refusal(service, operation, document)
    assert code == expected[0]
    assert message.startswith(expected[1])


@pytest.mark.parametrize(
    ("form", "path", "constraint"),
    [
        (b"Name=a&Port=0", "port", "Member must have value greater than or equal to 1"),
        (b"Name=a&Protocol=SMTP", "protocol", "Member must satisfy enum value set: ["),
        (b"Name=a&Tags.member.1.Value=v", "tags.1.member.key", "Member must not be null"),
        (b"Port=80", "name", "Member must not be null"),
    ],
)
def test_a_form_is_checked_as_a_document_is(form: bytes, path: str, constraint: str) -> None:
    code, message = refusal("elbv2", "CreateTargetGroup", form, "query")
    assert code == "ValidationError"
    assert f"at '{path}' failed to satisfy constraint: {constraint}" in message


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"serviceName": 5}, "NUMBER_VALUE can not be converted to a String"),
        ({"serviceName": True}, "TRUE_VALUE can not be converted to a String"),
        ({"desiredCount": "5"}, "STRING_VALUE can not be converted to an Integer"),
        ({"desiredCount": 1.5}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"desiredCount": 1 << 31}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"serviceName": {}}, "Start of structure or map found where not expected."),
        ({"tags": "a"}, "Expected list or null"),
        ({"tags": ["a"]}, "Expected null"),
        ({"enableExecuteCommand": "yes"}, "STRING_VALUE can not be converted to a Boolean"),
    ],
)
def test_another_type_is_no_parameter(members: dict[str, Any], message: str) -> None:
    for protocol in ("json", cbor.PROTOCOL):
        assert refusal("ecs", "CreateService", {"serviceName": "a", **members}, protocol) == (
            "SerializationException",
            message,
        )


@pytest.mark.parametrize("number", [str(1 << 31), "-99999999999", "1" + "0" * 40])
def test_a_number_beyond_its_type_is_malformed_in_a_form(number: str) -> None:
    assert refusal("elbv2", "CreateTargetGroup", f"Name=a&Port={number}".encode(), "query") == (
        "MalformedInput",
        f"{number} can not be converted to an Integer",
    )


@pytest.mark.parametrize("name", ["NaN", "Infinity"])
def test_numbers_that_json_does_not_have_are_no_json(name: str) -> None:
    with pytest.raises(AwsError) as refused:
        wire.parse(
            "ecs",
            "ListClusters",
            method="POST",
            path="/",
            headers={},
            body=b'{"maxResults": %b}' % name.encode(),
        )
    assert refused.value.code == "SerializationException"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
MEMBERS = ("serviceName", "tags", "loadBalancers", "desiredCount", "launchType", "deploymentConfiguration")


@given(st.dictionaries(st.sampled_from(MEMBERS), ANYTHING, max_size=4))
def test_no_document_is_more_than_refused(document: dict[str, Any]) -> None:
    for protocol in ("json", cbor.PROTOCOL):
        code, _ = refusal("ecs", "CreateService", document, protocol)
        assert code in ("", "SerializationException", "InvalidParameterException")


@pytest.fixture(scope="module")
def unchecked(noop_emulator: Any) -> Any:
    """Return a function that makes clients which send what they are given, once."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    login = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}

    def client(service: str) -> Any:
        return boto3.client(
            service, endpoint_url=noop_emulator.url, region_name="ap-south-1", config=config, **login
        )

    return client


def test_an_alarm_keeps_its_state_when_the_new_one_is_refused(unchecked: Any) -> None:
    cloudwatch = unchecked("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="kept",
        Namespace="Validation",
        MetricName="m",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1.0,
        ComparisonOperator="GreaterThanThreshold",
    )
    with pytest.raises(ClientError) as refused:
        cloudwatch.set_alarm_state(AlarmName="kept", StateValue="RED", StateReason="r")
    assert refused.value.response["Error"]["Code"] == "ValidationError"
    (alarm,) = cloudwatch.describe_alarms(AlarmNames=["kept"])["MetricAlarms"]
    assert alarm["StateValue"] in ("INSUFFICIENT_DATA", "OK")


@pytest.mark.parametrize(
    ("service", "call", "params"),
    [
        ("ecr", "create_repository", {"repositoryName": "no/such", "imageTagMutability": "SOMETIMES"}),
        (
            "ecr",
            "create_repository",
            {"repositoryName": "no/such", "encryptionConfiguration": {"encryptionType": "ROT13"}},
        ),
        (
            "cloudwatch",
            "put_metric_data",
            {"Namespace": "V", "MetricData": [{"MetricName": "m", "Unit": "GB"}]},
        ),
        ("ecs", "create_service", {"serviceName": "a", "taskDefinition": "a", "launchType": "MOON"}),
        ("elbv2", "create_load_balancer", {"Name": "a", "Subnets": ["subnet-1"], "Scheme": "sideways"}),
        (
            "application-autoscaling",
            "register_scalable_target",
            {
                "ServiceNamespace": "ecs",
                "ResourceId": "service/a/b",
                "ScalableDimension": "ecs:service:Colour",
            },
        ),
    ],
)
def test_a_word_outside_an_enumeration_is_the_clients_error(
    unchecked: Any, service: str, call: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(unchecked(service), call)(**params)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "one of [" in str(refused.value) or "Member must satisfy enum value set" in str(refused.value)


TARGET = "AmazonEC2ContainerServiceV20141113."
SIGNED = "AWS4-HMAC-SHA256 Credential=a/20260101/ap-south-1/{}/aws4_request, SignedHeaders=host, Signature=0"


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({"X-Amz-Target": TARGET + "CreateTaskSet"}, "/", "NotImplemented"),
        ({"X-Amz-Target": TARGET + "Dance"}, "/", "UnknownOperationException"),
        ({"X-Amz-Target": TARGET}, "/", "UnknownOperationException"),
        ({"Authorization": SIGNED.format("ecs")}, "/", "UnknownOperationException"),
        ({"Authorization": SIGNED.format("monitoring")}, "/any/path", "InvalidAction"),
        ({"Authorization": SIGNED.format("ecr"), "X-Amz-Target": "no dot"}, "/", "UnknownOperationException"),
    ],
)
def test_nothing_that_is_meant_for_a_live_service_reaches_the_upstream(
    noop_emulator: Any, headers: dict[str, str], path: str, code: str
) -> None:
    request = urllib.request.Request(noop_emulator.url + path, data=b"{}", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=10)
    with refused.value:
        assert refused.value.code in (400, 501)
        assert code in refused.value.read().decode()
