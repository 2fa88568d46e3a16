"""Early validation of stacks: nothing is made, and DescribeEvents has the cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from stack_flows import template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stack_flows import Flow

FAILED = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."


def named(name: str, value: str) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": value}}


@pytest.fixture(autouse=True)
def taken(flow: Flow) -> Iterator[None]:
    """Let somebody have the parameter `/taken`."""
    ssm = flow.emulator.client("ssm")
    ssm.put_parameter(Name="/taken", Value="somebody's", Type="String")
    yield
    ssm.delete_parameter(Name="/taken")


def found(flow: Flow, stack: str) -> list[tuple[str, str]]:
    """Return what early validation has found: the resource and the reason."""
    events = flow.api.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
    return [
        (event["LogicalResourceId"], event["ValidationStatusReason"])
        for event in events
        if event["EventType"] == "VALIDATION_ERROR"
    ]


def test_a_stack_whose_name_is_taken_makes_nothing(flow: Flow) -> None:
    flow.create(
        "new",
        template({"Free": named("/free", "x"), "Taken": named("/taken", "x")}),
        ends="ROLLBACK_COMPLETE",
    )

    assert found(flow, "new") == [
        ("Taken", "Resource of type 'AWS::SSM::Parameter' with identifier '/taken' already exists.")
    ]
    events = flow.events("new")
    assert {name for name, _, _ in events} == {"new"}
    assert any(reason.startswith(FAILED) for _, _, reason in events)
    assert flow.parameters() == {"/taken": "somebody's"}


def test_an_update_that_would_take_a_name_changes_nothing(flow: Flow) -> None:
    flow.create("old", template({"Mine": named("/mine", "before")}))

    flow.update(
        "old",
        template({"Mine": named("/mine", "after"), "Taken": named("/taken", "x")}),
        ends="UPDATE_ROLLBACK_COMPLETE",
    )

    assert [name for name, _ in found(flow, "old")] == ["Taken"]
    assert flow.parameters() == {"/mine": "before", "/taken": "somebody's"}


def test_without_validation_the_resource_fails(flow: Flow) -> None:
    flow.create(
        "new", template({"Taken": named("/taken", "x")}), ends="ROLLBACK_COMPLETE", DisableValidation=True
    )

    assert found(flow, "new") == []
    assert [name for name, status, _ in flow.events("new") if status == "CREATE_FAILED"] == ["Taken"]
    assert flow.parameters() == {"/taken": "somebody's"}
