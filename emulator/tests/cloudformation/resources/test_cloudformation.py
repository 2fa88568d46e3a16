"""CloudFormation's own resources are entries of their stacks."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from samjhadoo_emulator.cloudformation.resources.registry import resource_type
from samjhadoo_emulator.errors import AwsError


def created(name: str) -> Any:
    kind = resource_type(name)
    assert kind is not None
    request: Any = SimpleNamespace(region="ap-south-1", stack_id="arn:stack", logical_id="Handle", id="")
    return asyncio.run(kind.create(request))


def test_metadata_of_cdk_has_an_id() -> None:
    assert created("AWS::CDK::Metadata").id


def test_the_handle_of_a_wait_condition_is_an_address() -> None:
    assert created("AWS::CloudFormation::WaitConditionHandle").id.startswith("https://cloudformation-wait")


def test_their_drift_is_not_detected() -> None:
    kind = resource_type("AWS::CDK::Metadata")
    assert kind is not None

    with pytest.raises(AwsError, match="does not support drift detection"):
        asyncio.run(kind.read(SimpleNamespace()))  # type: ignore[arg-type]
