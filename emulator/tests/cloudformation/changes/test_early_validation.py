"""What is found before anything is made; the texts are those that AWS's users have met."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from samjhadoo_emulator.cloudformation.changes.differences import Action, Difference, Replacement
from samjhadoo_emulator.cloudformation.changes.early_validation import Mistake, failure, find_mistakes
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN


def added(kind: str, **properties: Any) -> Difference:
    return Difference(Action.ADD, "Thing", kind, after={"Properties": properties})


def found(difference: Difference, *existing: str) -> list[Mistake]:
    async def exists(_difference: Difference, name: str) -> bool:
        return name in existing

    return asyncio.run(find_mistakes([difference], exists))


def test_a_missing_property_is_found() -> None:
    assert [
        (each.path, each.reason) for each in found(added("AWS::IAM::Policy", PolicyName="p", Roles=["r"]))
    ] == [("/Resources/Thing/Properties", "Required property [PolicyDocument] not found")]


def test_an_unknown_property_is_found() -> None:
    (mistake,) = found(added("AWS::SNS::Topic", TopicNam="t"))

    assert mistake.details == {
        "ValidationName": "PROPERTY_VALIDATION",
        "ValidationFailureMode": "FAIL",
        "ValidationStatus": "FAILED",
        "ValidationStatusReason": "Unsupported property [TopicNam]",
        "ValidationPath": "/Resources/Thing/Properties",
        "ResourceType": "AWS::SNS::Topic",
    }


def test_a_taken_name_is_found() -> None:
    (mistake,) = found(added("AWS::S3::Bucket", BucketName="mine"), "mine")

    assert mistake.details["ValidationName"] == "NAME_CONFLICT_VALIDATION"
    assert mistake.details["PhysicalResourceId"] == "mine"
    assert mistake.reason == "Resource of type 'AWS::S3::Bucket' with identifier 'mine' already exists."


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param(added("AWS::S3::Bucket"), id="a generated name"),
        pytest.param(added("AWS::EC2::VPC", EnableDnsSupport="true", CidrBlock=UNKNOWN), id="texts"),
        pytest.param(added("AWS::S3::Bucket", BucketName=UNKNOWN), id="a name that is not known yet"),
        pytest.param(added("AWS::SNS::Topic", TopicName="mine"), id="an identifier that AWS makes"),
        pytest.param(
            added(
                "AWS::ECS::ClusterCapacityProviderAssociations",
                Cluster="mine",
                CapacityProviders=["FARGATE"],
                DefaultCapacityProviderStrategy=[],
            ),
            id="what it belongs to",
        ),
        pytest.param(
            Difference(
                Action.MODIFY,
                "Thing",
                "AWS::S3::Bucket",
                id="mine",
                replacement=Replacement.NO,
                after={"Properties": {"BucketName": "mine"}},
            ),
            id="the stack's own resource",
        ),
        pytest.param(Difference(Action.REMOVE, "Thing", "AWS::S3::Bucket", id="mine"), id="a removal"),
    ],
)
def test_nothing_else_is_a_mistake(difference: Difference) -> None:
    assert found(difference, "mine") == []


def test_the_reason_names_the_checks_that_failed() -> None:
    mistakes = found(added("AWS::S3::Bucket", BucketName="mine", Nonsense=1), "mine")

    assert failure(mistakes) == (
        "The following hook(s)/validation failed: [AWS::EarlyValidation::PropertyValidation, "
        "AWS::EarlyValidation::ResourceExistenceCheck]. To troubleshoot Early Validation errors, use the "
        "DescribeEvents API for detailed failure information."
    )
