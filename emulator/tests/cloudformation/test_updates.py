"""Updates of stacks: in place, by replacement, and rolled back when a resource cannot be changed."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack_flows import UNMAKEABLE, Flow, parameter, template, topic

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


def named(name: str, value: str = "x", **further: Any) -> dict[str, Any]:
    properties = {"Type": "String", "Value": value, "Name": name}
    return {"Type": "AWS::SSM::Parameter", "Properties": properties, **further}


def test_an_update_changes_only_what_differs(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1"), "B": parameter("1"), "C": parameter("1")}))
    before = flow.physical("s")
    flow.update("s", template({"A": parameter("2"), "B": parameter("1"), "D": parameter("1")}))
    assert flow.statuses("s")[10 + 1 :] == [
        ("s", "UPDATE_IN_PROGRESS"),
        ("A", "UPDATE_IN_PROGRESS"),
        ("D", "CREATE_IN_PROGRESS"),
        *sorted_middle(flow),
        ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("C", "DELETE_IN_PROGRESS"),
        ("C", "DELETE_COMPLETE"),
        ("s", "UPDATE_COMPLETE"),
    ]
    after = flow.physical("s")
    assert after.keys() == {"A", "B", "D"}
    assert (after["A"], after["B"]) == (before["A"], before["B"])
    assert flow.parameters() == {after["A"]: "2", after["B"]: "1", after["D"]: "1"}
    assert "LastUpdatedTime" in flow.stack("s")


def sorted_middle(flow: Flow) -> list[tuple[str, str]]:
    """Return the events of the resources that are changed side by side, in the order they had."""
    events = flow.statuses("s")
    start = events.index(("D", "CREATE_IN_PROGRESS")) + 1
    return events[start : events.index(("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"))]


def test_nothing_to_update_is_refused_in_aws_s_words(flow: Flow) -> None:
    body = template({"A": parameter({"Ref": "P"})}, Parameters={"P": {"Type": "String", "Default": "x"}})
    flow.create("s", body)
    for params in (
        {"TemplateBody": body},
        {"UsePreviousTemplate": True, "Parameters": [{"ParameterKey": "P", "UsePreviousValue": True}]},
    ):
        with pytest.raises(ClientError, match=r"\(ValidationError\).*No updates are to be performed\."):
            flow.api.update_stack(StackName="s", **params)


def test_outputs_alone_can_be_updated(flow: Flow) -> None:
    resources = {"A": parameter()}
    flow.create("s", template(resources))
    flow.update("s", template(resources, Outputs={"A": {"Value": {"Ref": "A"}}}))
    assert flow.outputs("s") == flow.physical("s")
    assert ("A", "UPDATE_IN_PROGRESS") not in flow.statuses("s")


def test_a_replacement_is_made_first_and_the_old_resource_deleted_in_the_cleanup(flow: Flow) -> None:
    flow.create("s", template({"A": named("one"), "B": parameter({"Ref": "A"})}))
    flow.update("s", template({"A": named("two"), "B": parameter({"Ref": "A"})}))
    assert flow.events("s")[8:] == [
        ("s", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("A", "UPDATE_IN_PROGRESS", REPLACING),
        ("A", "UPDATE_IN_PROGRESS", "Resource creation Initiated"),
        ("A", "UPDATE_COMPLETE", ""),
        ("B", "UPDATE_IN_PROGRESS", ""),
        ("B", "UPDATE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""),
        ("A", "DELETE_IN_PROGRESS", ""),
        ("A", "DELETE_COMPLETE", ""),
        ("s", "UPDATE_COMPLETE", ""),
    ]
    events = flow.api.describe_stack_events(StackName="s")["StackEvents"]
    ids = [each["PhysicalResourceId"] for each in reversed(events) if each["LogicalResourceId"] == "A"]
    assert ids == ["", "one", "one", "one", "two", "two", "one", "one"]
    assert flow.parameters() == {"two": "x", flow.physical("s")["B"]: "two"}


def test_a_custom_named_resource_is_never_replaced_under_its_name(flow: Flow) -> None:
    def topics(fifo: str) -> str:
        properties = {"TopicName": "mine.fifo", "FifoTopic": fifo}
        return template({"T": topic(Properties={k: v for k, v in properties.items() if v})})

    flow.create("s", topics("true"))
    before = flow.topics()
    flow.update("s", topics(""), ends="UPDATE_ROLLBACK_COMPLETE")
    reasons = [reason for _, status, reason in flow.events("s") if status == "UPDATE_FAILED"]
    assert reasons == [
        (
            "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
            "Rename mine.fifo and update the stack again."
        )
    ]
    assert flow.topics() == before


@pytest.mark.parametrize(("policy", "left"), [("Retain", {"one", "two"}), ("Delete", {"two"})])
def test_the_update_replace_policy_says_what_happens_to_a_replaced_resource(
    flow: Flow, policy: str, left: set[str]
) -> None:
    flow.create("s", template({"A": named("one")}))
    flow.update("s", template({"A": named("two", UpdateReplacePolicy=policy)}))
    assert set(flow.parameters()) == left
    flow.delete("s")
    for name in flow.parameters():
        flow.emulator.client("ssm").delete_parameter(Name=name)


def test_a_failed_update_returns_every_resource_to_what_it_was(flow: Flow) -> None:
    old = {
        "Kept": parameter("1"),
        "Changed": parameter("1"),
        "Replaced": named("one"),
        "Gone": parameter("1"),
    }
    flow.create("s", template(old, Outputs={"O": {"Value": "1"}}))
    before, physical = flow.parameters(), flow.physical("s")
    bad = {**UNMAKEABLE, "DependsOn": ["Changed", "Replaced", "New"]}
    new = {
        "Kept": parameter("1"),
        "Changed": parameter("2"),
        "Replaced": named("two"),
        "New": parameter(),
        "Bad": bad,
    }
    flow.update("s", template(new, Outputs={"O": {"Value": "2"}}), ends="UPDATE_ROLLBACK_COMPLETE")
    assert flow.parameters() == before
    assert flow.physical("s") == physical
    assert flow.outputs("s") == {"O": "1"}
    events = flow.events("s")
    start = next(n for n, event in enumerate(events) if event[1] == "UPDATE_ROLLBACK_IN_PROGRESS")
    assert events[start] == (
        "s",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Bad]. ",
    )
    rolled_back = [(name, status) for name, status, _ in events[start + 1 :]]
    assert [each for each in rolled_back if each[0] == "Changed"] == [
        ("Changed", "UPDATE_IN_PROGRESS"),
        ("Changed", "UPDATE_COMPLETE"),
    ]
    assert ("Replaced", "UPDATE_COMPLETE") in rolled_back
    assert not {name for name, _ in rolled_back} & {"Kept", "Gone"}
    cleanup = rolled_back[rolled_back.index(("s", "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")) :]
    assert {each for each in cleanup if each[1] == "DELETE_COMPLETE"} == {
        ("New", "DELETE_COMPLETE"),
        ("Replaced", "DELETE_COMPLETE"),
    }
    assert rolled_back[-1] == ("s", "UPDATE_ROLLBACK_COMPLETE")
    assert flow.api.get_template(StackName="s")["TemplateBody"]["Outputs"] == {"O": {"Value": "1"}}
    flow.update("s", template({"Kept": parameter("2")}))


def test_a_rollback_that_fails_can_be_continued(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1"), "B": parameter("1", DependsOn="A")}))
    bad = template(
        {"A": parameter("2"), "B": parameter("2", DependsOn="A"), "Bad": {**UNMAKEABLE, "DependsOn": "B"}}
    )
    # Two calls change A and B, and one makes Bad; those of the rollback are denied.
    with flow.emulator.faults.refuse("ssm", "PutParameter", "AccessDenied", "no", callers="services", skip=3):
        flow.update("s", bad, ends="UPDATE_ROLLBACK_FAILED")
        assert "failed to update: [A" in flow.stack("s")["StackStatusReason"]
        with pytest.raises(ClientError, match="is in UPDATE_ROLLBACK_FAILED state and can not be updated"):
            flow.api.update_stack(StackName="s", TemplateBody=bad)
    flow.api.continue_update_rollback(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    assert set(flow.parameters().values()) == {"1"}


def test_resources_can_be_skipped_when_a_rollback_is_continued(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1"), "B": parameter("1")}))
    name = flow.physical("s")["A"]
    bad = template({"A": parameter("2"), "B": parameter("2"), "Bad": {**UNMAKEABLE, "DependsOn": ["A", "B"]}})
    with flow.emulator.faults.refuse("ssm", "PutParameter", "AccessDenied", "no", callers="services", skip=3):
        flow.update("s", bad, ends="UPDATE_ROLLBACK_FAILED")
        with pytest.raises(ClientError, match=r"Resources \[Nobody\] cannot be skipped"):
            flow.api.continue_update_rollback(StackName="s", ResourcesToSkip=["Nobody"])
        failed = [
            each["LogicalResourceId"]
            for each in flow.api.describe_stack_resources(StackName="s")["StackResources"]
            if each["ResourceStatus"] == "UPDATE_FAILED" and each["LogicalResourceId"] != "Bad"
        ]
    flow.api.continue_update_rollback(StackName="s", ResourcesToSkip=failed)
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    if "A" in failed:
        assert flow.parameters()[name] == "2"
    flow.update("s", template({"A": parameter("3"), "B": parameter("3")}))
    assert set(flow.parameters().values()) == {"3"}


def test_without_rollback_a_failed_update_can_be_rolled_back_or_updated_again(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1"), "R": named("one")}))
    before = flow.parameters()
    bad = template({"A": parameter("2"), "R": named("two"), "Bad": UNMAKEABLE})
    flow.update("s", bad, ends="UPDATE_FAILED", DisableRollback=True)
    assert set(flow.parameters().values()) == {"2", "x"}
    flow.api.rollback_stack(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    assert flow.parameters() == before
    flow.update("s", bad, ends="UPDATE_FAILED", DisableRollback=True)
    flow.update("s", template({"A": parameter("3"), "R": named("three")}))
    assert set(flow.parameters()) == {flow.physical("s")["A"], "three"}


def test_an_update_can_be_cancelled(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1")}))
    before = flow.parameters()
    flow.emulator.faults.delay("ssm", "PutParameter", 0.5, callers="services", count=1)
    new = template({"A": parameter("2"), "B": parameter("2", DependsOn="A")})
    flow.api.update_stack(StackName="s", TemplateBody=new)
    with pytest.raises(
        ClientError, match=r"Stack:arn:\S+ is in UPDATE_IN_PROGRESS state and can not be updated"
    ):
        flow.api.update_stack(StackName="s", TemplateBody=new)
    with pytest.raises(
        ClientError, match=r"Stack \[s\] cannot be deleted while in status UPDATE_IN_PROGRESS"
    ):
        flow.api.delete_stack(StackName="s")
    flow.api.cancel_update_stack(StackName="s")
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
    assert flow.parameters() == before
    with pytest.raises(ClientError, match="CancelUpdateStack cannot be called from current stack status"):
        flow.api.cancel_update_stack(StackName="s")


def test_a_condition_that_changes_makes_and_removes_resources(flow: Flow) -> None:
    body = template(
        {
            "Big": {**parameter(), "Condition": "IsBig"},
            "Small": {**parameter(), "Condition": "IsSmall"},
            "Uses": parameter({"Fn::If": ["IsBig", {"Ref": "Big"}, {"Ref": "Small"}]}),
        },
        Parameters={"Size": {"Type": "String", "AllowedValues": ["big", "small"]}},
        Conditions={
            "IsBig": {"Fn::Equals": [{"Ref": "Size"}, "big"]},
            "IsSmall": {"Fn::Not": [{"Condition": "IsBig"}]},
        },
    )
    flow.create("s", body, Parameters=[{"ParameterKey": "Size", "ParameterValue": "big"}])
    assert flow.physical("s").keys() == {"Big", "Uses"}
    flow.update("s", Parameters=[{"ParameterKey": "Size", "ParameterValue": "small"}])
    physical = flow.physical("s")
    assert physical.keys() == {"Small", "Uses"}
    assert flow.parameters()[physical["Uses"]] == physical["Small"]


def test_a_resource_cannot_become_one_of_another_type(flow: Flow) -> None:
    flow.create("s", template({"A": parameter()}))
    with pytest.raises(ClientError, match="Update of resource type is not permitted"):
        flow.api.update_stack(StackName="s", TemplateBody=template({"A": topic()}))


def test_a_resource_that_was_deleted_by_hand_fails_its_update(flow: Flow) -> None:
    flow.create("s", template({"A": topic()}))
    flow.emulator.client("sns").delete_topic(TopicArn=flow.topics()[0])
    changed = topic(Properties={"DisplayName": "x"})
    flow.update("s", template({"A": changed}), ends="UPDATE_ROLLBACK_FAILED")
    assert "HandlerErrorCode: NotFound" in flow.events("s", "A")[-1][2]
    flow.api.continue_update_rollback(StackName="s", ResourcesToSkip=["A"])
    flow.settle("s", "UPDATE_ROLLBACK_COMPLETE")
