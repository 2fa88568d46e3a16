"""Deletion of stacks: the reverse order, policies, protection, and resources that cannot be deleted."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from stack_flows import Flow, parameter, template, topic


def test_resources_are_deleted_in_the_reverse_order(flow: Flow) -> None:
    body = template({"A": parameter(), "B": parameter({"Ref": "A"}), "C": parameter(DependsOn="B")})
    identity = flow.create("s", body)
    flow.delete("s")
    deleted = [name for name, status in flow.statuses(identity) if status == "DELETE_COMPLETE"]
    assert deleted == ["C", "B", "A", "s"]
    assert flow.parameters() == {}


def test_a_deleted_stack_is_found_by_its_arn_only_and_its_name_is_free(flow: Flow) -> None:
    identity = flow.create("s", template({"A": parameter()}))
    flow.delete("s")
    with pytest.raises(ClientError, match=r"\(ValidationError\).*Stack with id s does not exist"):
        flow.stack("s")
    assert flow.stack(identity)["StackStatus"] == "DELETE_COMPLETE"
    assert flow.api.describe_stack_resources(StackName=identity)["StackResources"][0]["ResourceStatus"] == (
        "DELETE_COMPLETE"
    )
    listed = flow.api.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert identity in [each["StackId"] for each in listed]
    assert flow.create("s", template({"A": parameter()})) != identity
    with pytest.raises(ClientError, match=r"\(AlreadyExistsException\).*Stack \[s\] already exists"):
        flow.api.create_stack(StackName="s", TemplateBody=template({"A": parameter()}))


def test_deleting_nothing_succeeds(flow: Flow) -> None:
    flow.api.delete_stack(StackName="nothing")


def test_a_resource_that_was_deleted_by_hand_counts_as_deleted(flow: Flow) -> None:
    flow.create("s", template({"A": parameter(), "T": topic()}))
    flow.emulator.client("ssm").delete_parameter(Name=flow.physical("s")["A"])
    flow.emulator.client("sns").delete_topic(TopicArn=flow.topics()[0])
    flow.delete("s")


def test_what_is_to_be_retained_outlives_its_stack(flow: Flow) -> None:
    identity = flow.create(
        "s", template({"A": parameter(DeletionPolicy="Retain"), "B": parameter({"Ref": "A"})})
    )
    name = flow.physical("s")["A"]
    flow.delete("s")
    assert list(flow.parameters()) == [name]
    assert ("A", "DELETE_SKIPPED") in flow.statuses(identity)
    flow.emulator.client("ssm").delete_parameter(Name=name)


def test_a_protected_stack_is_not_deleted(flow: Flow) -> None:
    flow.create("s", template({"A": parameter()}), EnableTerminationProtection=True)
    with pytest.raises(
        ClientError, match=r"Stack \[s\] cannot be deleted while TerminationProtection is enabled"
    ):
        flow.api.delete_stack(StackName="s")
    flow.api.update_termination_protection(StackName="s", EnableTerminationProtection=False)
    flow.delete("s")


def test_a_deletion_that_fails_keeps_what_the_resource_needs_and_can_be_tried_again(flow: Flow) -> None:
    body = template({"T": topic(), "P": parameter({"Ref": "T"}), "Q": parameter()})
    flow.create("s", body)
    with flow.emulator.faults.refuse("ssm", "DeleteParameter", "AccessDenied", "no", callers="services"):
        flow.delete("s", ends="DELETE_FAILED")
    assert flow.stack("s")["StackStatusReason"] == "The following resource(s) failed to delete: [P, Q]. "
    assert ("T", "DELETE_IN_PROGRESS") not in flow.statuses("s")
    flow.delete("s")
    assert flow.topics() == []


def test_only_a_failed_deletion_can_retain_resources(flow: Flow) -> None:
    flow.create("s", template({"P": parameter(), "T": topic()}))
    for params in ({"RetainResources": ["P"]}, {"DeletionMode": "FORCE_DELETE_STACK"}):
        with pytest.raises(ClientError, match="DELETE_FAILED state"):
            flow.api.delete_stack(StackName="s", **params)
    with flow.emulator.faults.refuse("ssm", "DeleteParameter", "AccessDenied", "no", callers="services"):
        flow.delete("s", ends="DELETE_FAILED")
        flow.delete("s", RetainResources=["P"])
    left = flow.parameters()
    assert len(left) == 1
    flow.emulator.client("ssm").delete_parameter(Name=next(iter(left)))


def test_a_deletion_can_be_forced(flow: Flow) -> None:
    flow.create("s", template({"P": parameter({"Ref": "T"}), "T": topic()}))
    with flow.emulator.faults.refuse("ssm", "DeleteParameter", "AccessDenied", "no", callers="services"):
        flow.delete("s", ends="DELETE_FAILED")
        flow.delete("s", DeletionMode="FORCE_DELETE_STACK")
    assert flow.topics() == []
    for name in flow.parameters():
        flow.emulator.client("ssm").delete_parameter(Name=name)


def test_a_stack_that_is_being_created_can_be_deleted(flow: Flow) -> None:
    flow.emulator.faults.delay("ssm", "PutParameter", 0.3, callers="services")
    body = template({"A": parameter(), "B": parameter({"Ref": "A"}), "C": parameter({"Ref": "B"})})
    identity = flow.api.create_stack(StackName="s", TemplateBody=body)["StackId"]
    flow.api.delete_stack(StackName="s")
    flow.settle(identity, "DELETE_COMPLETE")
    assert flow.parameters() == {}
