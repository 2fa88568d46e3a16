"""Calls of resource types: repeated when throttled, their failures in AWS's words."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.cloudformation.calls import (
    ATTEMPTS,
    ResourceApi,
    ResourceError,
    handler_code,
    handler_message,
)
from samjhadoo_emulator.cloudformation.language.schemas import schema
from samjhadoo_emulator.cloudformation.provisioning import differing
from samjhadoo_emulator.cloudformation.replacements import kept_name
from samjhadoo_emulator.cloudformation.scheduling import Cancellation
from samjhadoo_emulator.cloudformation.template_source import address
from samjhadoo_emulator.errors import AwsError

QUICK = Clock(minute=0.001)


class Throttling:
    """An AWS that throttles some calls first."""

    def __init__(self, times: int, code: str = "ThrottlingException") -> None:
        self.left, self.code, self.calls = times, code, 0

    async def call(self, _service: str, _operation: str, /, **_params: Any) -> dict[str, Any]:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise AwsError(self.code, "Rate exceeded")
        return {"Done": True}


def call(aws: Throttling) -> dict[str, Any]:
    return asyncio.run(ResourceApi(aws, QUICK, Cancellation()).call("ecs", "CreateCluster"))


def test_a_throttled_call_is_repeated_some_times() -> None:
    assert call(Throttling(ATTEMPTS - 1)) == {"Done": True}
    for_ever = Throttling(ATTEMPTS)
    with pytest.raises(AwsError, match="Rate exceeded"):
        call(for_ever)
    assert for_ever.calls == ATTEMPTS


def test_other_refusals_are_not_repeated() -> None:
    refusing = Throttling(1, code="AccessDeniedException")
    with pytest.raises(AwsError) as caught:
        call(refusing)
    assert refusing.calls == 1
    assert re.fullmatch(
        r'Resource handler returned message: "Rate exceeded \(Service: Ecs, Status Code: 400, '
        r'Request ID: [-\w]{36}\)" \(RequestToken: [-\w]{36}, HandlerErrorCode: AccessDenied\)',
        handler_message(caught.value),
    )


def test_a_failure_of_the_type_itself_names_no_service() -> None:
    words = "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'."
    message = handler_message(AwsError("GeneralServiceException", words))
    assert message.startswith(f'Resource handler returned message: "{words}" (RequestToken: ')
    assert handler_message(ResourceError("as it stands")) == "as it stands"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("NotStabilized", "NotStabilized"),
        ("EntityAlreadyExists", "AlreadyExists"),
        ("InvalidGroup.Duplicate", "AlreadyExists"),
        ("ResourceNotFoundException", "NotFound"),
        ("NoSuchBucket", "NotFound"),
        ("InvalidParameterException", "InvalidRequest"),
        ("ThrottlingException", "Throttling"),
        ("DependencyViolation", "ResourceConflict"),
        ("UnauthorizedOperation", "AccessDenied"),
        ("LimitExceeded", "ServiceLimitExceeded"),
        ("Whatever", "GeneralServiceException"),
    ],
)
def test_codes_of_services_become_codes_of_handlers(code: str, expected: str) -> None:
    assert handler_code(code) == expected


@pytest.mark.parametrize(
    ("had", "wanted", "expected"),
    [
        ([{"A": 1}], {"A": 2}, {"A": 1}),
        ([{"A": 1}, {"A": 2}], {"A": 2}, {"A": 1}),
        ([{"A": 1}, {"A": 2}], {"A": 1}, {"A": 2}),
        ([{"A": 1}, {"A": 2}], {"A": 3}, {"A": 1}),
        ([{}, {"A": 2}], {"A": 2}, {}),
        ([{"A": 1}, {}], {"A": 1}, {}),
        ([{"A": 1}, {}], {}, {"A": 1}),
        ([{"A": 1, "B": 1}, {"A": 1, "B": 2}], {"A": 1, "B": 1}, {"A": 1, "B": 2}),
    ],
)
def test_what_a_failed_update_may_have_changed_counts_as_different(
    had: list[dict[str, int]], wanted: dict[str, int], expected: dict[str, int]
) -> None:
    assert differing(had, wanted) == expected


@pytest.mark.parametrize(
    ("kind", "before", "after", "name"),
    [
        ("AWS::SSM::Parameter", {"Name": "a"}, {"Name": "b"}, ""),
        ("AWS::SNS::Topic", {"TopicName": "t", "FifoTopic": True}, {"TopicName": "t"}, "t"),
        ("AWS::SNS::Topic", {"FifoTopic": True}, {}, ""),
        ("AWS::S3::Bucket", {"BucketName": "b"}, {"BucketName": "b"}, "b"),
        ("AWS::ECS::TaskDefinition", {"Family": "f", "Cpu": "1"}, {"Family": "f", "Cpu": "2"}, ""),
        (
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            {"Name": "g", "Port": 80},
            {"Name": "g", "Port": 81},
            "g",
        ),
        ("AWS::EC2::SecurityGroup", {"GroupName": "g"}, {"GroupName": "g", "VpcId": "v"}, "g"),
        ("AWS::EC2::VPC", {"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.1.0.0/16"}, ""),
    ],
)
def test_a_replacement_cannot_have_the_name_of_what_it_replaces(
    kind: str, before: dict[str, Any], after: dict[str, Any], name: str
) -> None:
    assert kept_name(schema(kind), before, after) == name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://s3.amazonaws.com/bucket/a/b.yaml", ("bucket", "a/b.yaml")),
        ("https://s3.eu-west-1.amazonaws.com/bucket/key", ("bucket", "key")),
        ("https://bucket.s3.amazonaws.com/a/b", ("bucket", "a/b")),
        ("https://my.bucket.s3.eu-west-1.amazonaws.com/key", ("my.bucket", "key")),
        ("https://bucket.s3-eu-west-1.amazonaws.com/key", ("bucket", "key")),
        ("http://127.0.0.1:4566/bucket/a%20b?versionId=1", ("bucket", "a b")),
    ],
)
def test_addresses_of_s3_name_their_bucket_in_the_host_or_in_the_path(
    url: str, expected: tuple[str, str]
) -> None:
    assert address(url) == expected
