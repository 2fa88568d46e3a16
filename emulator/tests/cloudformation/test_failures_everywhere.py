"""Failures of every single call: what is left is always what was there before, or what was wanted."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from stack_flows import Flow, parameter, template, topic


def named(name: str, value: Any) -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": value}}


OLD = template(
    {
        "Topic": topic(),
        "Changed": parameter("1"),
        "Replaced": named("old", {"Ref": "Changed"}),
        "Gone": parameter({"Ref": "Topic"}),
        "Above": parameter({"Fn::Join": ["-", ["1", {"Ref": "Replaced"}]]}),
    },
    Outputs={"Last": {"Value": {"Ref": "Above"}}},
)
NEW = template(
    {
        "Topic": topic(Properties={"DisplayName": "new"}),
        "Changed": parameter("2"),
        "Replaced": named("new", {"Ref": "Changed"}),
        "New": parameter({"Ref": "Topic"}),
        "Above": parameter({"Fn::Join": ["-", ["2", {"Ref": "Replaced"}]]}),
    },
    Outputs={"Last": {"Value": {"Ref": "New"}}},
)


def state(flow: Flow) -> tuple[dict[str, str], dict[str, str]]:
    """Return all that AWS has: parameters, and topics with their display names."""
    sns = flow.emulator.client("sns")
    names = {
        arn: sns.get_topic_attributes(TopicArn=arn)["Attributes"]["DisplayName"] for arn in flow.topics()
    }
    return flow.parameters(), names


def settled(flow: Flow, name: str) -> str:
    from samjhadoo_emulator.testing import eventually

    status: str = eventually(
        lambda: not (found := flow.stack(name)["StackStatus"]).endswith("_IN_PROGRESS") and found
    )
    return status


@pytest.mark.parametrize("service", ["ssm", "sns"])
def test_a_creation_that_fails_at_any_call_leaves_nothing(flow: Flow, service: str) -> None:
    for position in count():
        with flow.emulator.faults.refuse(
            service, "*", "AccessDenied", "no", callers="services", skip=position, count=1
        ) as fault:
            identity = flow.api.create_stack(StackName="s", TemplateBody=OLD, DisableValidation=True)[
                "StackId"
            ]
            status = settled(flow, identity)
            was_struck = fault.struck is None
        if not was_struck:
            assert status == "CREATE_COMPLETE"
            break
        assert status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED")
        flow.delete("s")
        assert state(flow) == ({}, {}), f"call {position} of {service}"


@pytest.mark.parametrize("service", ["ssm", "sns"])
def test_an_update_that_fails_at_any_call_can_be_rolled_back(flow: Flow, service: str) -> None:
    flow.create("s", OLD)
    before, physical, outputs = state(flow), flow.physical("s"), flow.outputs("s")
    for position in count():
        with flow.emulator.faults.refuse(
            service, "*", "AccessDenied", "no", callers="services", skip=position, count=1
        ) as fault:
            flow.api.update_stack(StackName="s", TemplateBody=NEW, DisableValidation=True)
            status = settled(flow, "s")
            was_struck = fault.struck is None
        if status == "UPDATE_COMPLETE":  # the cleanup tries again
            break
        if status == "UPDATE_ROLLBACK_FAILED":
            flow.api.continue_update_rollback(StackName="s")
            status = settled(flow, "s")
        assert status == "UPDATE_ROLLBACK_COMPLETE"
        assert was_struck
        assert (state(flow), flow.physical("s"), flow.outputs("s")) == (before, physical, outputs), position
    flow.delete("s")
    assert state(flow) == ({}, {})


def test_an_update_that_was_left_half_done_is_completed_by_the_next_one(flow: Flow) -> None:
    for position in range(8):
        flow.create("s", OLD)
        with flow.emulator.faults.refuse(
            "ssm", "PutParameter", "AccessDenied", "no", callers="services", skip=position, count=1
        ):
            flow.api.update_stack(
                StackName="s", TemplateBody=NEW, DisableRollback=True, DisableValidation=True
            )
            status = settled(flow, "s")
        if status == "UPDATE_COMPLETE":
            break
        assert status == "UPDATE_FAILED"
        flow.update("s", NEW)
        parameters, topics = state(flow)
        physical = flow.physical("s")
        assert parameters == {
            physical["Changed"]: "2",
            "new": physical["Changed"],
            physical["New"]: physical["Topic"],
            physical["Above"]: "2-new",
        }, position
        assert topics == {physical["Topic"]: "new"}
        flow.delete("s")
        assert state(flow) == ({}, {})
    flow.delete("s")


def test_stacks_can_be_worked_on_at_the_same_time(flow: Flow) -> None:
    names = [f"s{number}" for number in range(12)]
    body = template({f"P{number}": parameter() for number in range(10)})
    for name in names:
        flow.api.create_stack(StackName=name, TemplateBody=body)
    assert {settled(flow, name) for name in names} == {"CREATE_COMPLETE"}
    assert len(flow.parameters()) == 120
    for name in names:
        flow.api.delete_stack(StackName=name)
    flow.clear()
    assert flow.parameters() == {}


def test_a_large_stack_with_a_deep_chain_is_made_and_deleted(flow: Flow) -> None:
    chain = {
        f"C{number:03}": parameter({"Ref": f"C{number - 1:03}"} if number else "x") for number in range(200)
    }
    wide = {f"W{number:03}": parameter({"Ref": "C100"}) for number in range(200)}
    flow.create("s", template({**chain, **wide}))
    assert len(flow.parameters()) == 400
    flow.delete("s")
    assert flow.parameters() == {}
