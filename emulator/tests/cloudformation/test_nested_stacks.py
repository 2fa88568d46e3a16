"""Stacks within stacks: created, updated, rolled back and deleted as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack_flows import UNMAKEABLE, Flow, parameter, template, topic

BUCKET = "templates-of-stacks"
Store = Callable[..., str]


@pytest.fixture
def store(flow: Flow) -> Store:
    """Return a function that stores a template in S3 and returns its address, in a style."""
    s3 = flow.emulator.client("s3")
    if not any(each["Name"] == BUCKET for each in s3.list_buckets()["Buckets"]):
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-south-1"})

    def put(name: str, text: str, style: str = "https://s3.ap-south-1.amazonaws.com/{bucket}/{key}") -> str:
        s3.put_object(Bucket=BUCKET, Key=name, Body=text.encode())
        return style.format(bucket=BUCKET, key=name, edge=flow.emulator.url)

    return put


def nested(url: str, parameters: dict[str, Any] | None = None, **further: Any) -> dict[str, Any]:
    properties = {"TemplateURL": url, **({"Parameters": parameters} if parameters else {})}
    return {"Type": "AWS::CloudFormation::Stack", "Properties": properties, **further}


def child_of(flow: Flow, name: str, logical_id: str = "Child") -> dict[str, Any]:
    return flow.stack(flow.physical(name)[logical_id])


CHILD = template(
    {"A": parameter({"Ref": "V"})},
    Parameters={"V": {"Type": "String", "Default": "1"}},
    Outputs={"Name": {"Value": {"Ref": "A"}}},
)


@pytest.mark.parametrize(
    "style",
    [
        "https://s3.ap-south-1.amazonaws.com/{bucket}/{key}",
        "https://{bucket}.s3.ap-south-1.amazonaws.com/{key}",
        "https://{bucket}.s3.amazonaws.com/{key}",
        "{edge}/{bucket}/{key}",
    ],
)
def test_a_template_is_read_wherever_it_is(flow: Flow, store: Store, style: str) -> None:
    url = store("a folder/child.json", CHILD, style).replace(" ", "%20")
    identity = flow.api.create_stack(StackName="far", TemplateURL=url)["StackId"]
    flow.settle(identity, "CREATE_COMPLETE")


@pytest.mark.parametrize(
    "url", ["https://s3.amazonaws.com/templates-of-nobody/a", "https://example.com", "s3://bucket/key", "x"]
)
def test_a_template_that_is_not_there_is_refused(flow: Flow, url: str) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        flow.api.create_stack(StackName="nowhere", TemplateURL=url)


def test_a_nested_stack_is_a_stack_of_its_own_with_outputs_for_its_parent(flow: Flow, store: Store) -> None:
    body = template(
        {
            "Child": nested(store("child", CHILD), {"V": "given"}),
            "User": parameter({"Fn::GetAtt": ["Child", "Outputs.Name"]}),
        }
    )
    identity = flow.create("parent", body)
    child = child_of(flow, "parent")
    assert child["StackName"].startswith("parent-Child-")
    assert (child["ParentId"], child["RootId"], child["StackStatus"]) == (
        identity,
        identity,
        "CREATE_COMPLETE",
    )
    made = flow.physical(child["StackId"])["A"]
    assert flow.parameters() == {made: "given", flow.physical("parent")["User"]: made}
    assert flow.statuses("parent", "Child") == [
        ("Child", "CREATE_IN_PROGRESS"),
        ("Child", "CREATE_IN_PROGRESS"),
        ("Child", "CREATE_COMPLETE"),
    ]
    flow.delete("parent")
    assert flow.stack(child["StackId"])["StackStatus"] == "DELETE_COMPLETE"
    assert flow.parameters() == {}


def test_a_nested_stack_that_fails_fails_its_parent_s_resource(flow: Flow, store: Store) -> None:
    broken = template({"A": parameter(), "Bad": {**UNMAKEABLE, "DependsOn": "A"}})
    identity = flow.create(
        "parent", template({"Child": nested(store("broken", broken))}), ends="ROLLBACK_COMPLETE"
    )
    reason = next(why for _, status, why in flow.events("parent") if status == "CREATE_FAILED")
    child = reason.split()[2]
    assert reason == (
        f"Embedded stack {child} was not successfully created: "
        "The following resource(s) failed to create: [Bad]. "
    )
    assert flow.stack(child)["StackStatus"] == "DELETE_COMPLETE"
    assert flow.stack(child)["RootId"] == identity
    assert flow.parameters() == {}


def test_stacks_nest_more_than_once(flow: Flow, store: Store) -> None:
    middle = template({"Inner": nested(store("child", CHILD))})
    identity = flow.create("parent", template({"Child": nested(store("middle", middle))}))
    inner = child_of(flow, child_of(flow, "parent")["StackId"], "Inner")
    assert inner["RootId"] == identity
    assert inner["ParentId"] == child_of(flow, "parent")["StackId"]


def test_an_update_reaches_nested_stacks_and_cleans_them_up_at_the_end(flow: Flow, store: Store) -> None:
    store("child", template({"A": parameter("1"), "Gone": parameter()}))
    body = template({"Child": nested(store("child", template({"A": parameter("1"), "Gone": parameter()})))})
    flow.create("parent", body)
    store("child", template({"A": parameter("2"), "New": parameter()}))
    flow.update("parent", body)
    child = child_of(flow, "parent")
    assert child["StackStatus"] == "UPDATE_COMPLETE"
    assert flow.physical(child["StackId"]).keys() == {"A", "New"}
    assert len(flow.parameters()) == 2
    order = [
        (status, name)
        for name, status in flow.statuses(child["StackId"])
        if status in ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_COMPLETE")
    ]
    assert [status for status, _ in order] == ["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "DELETE_COMPLETE"]


def test_a_failed_update_returns_nested_stacks_to_what_they_were(flow: Flow, store: Store) -> None:
    old = template({"A": parameter("1"), "Gone": parameter("1")})
    flow.create("parent", template({"Child": nested(store("child", old)), "Other": parameter("1")}))
    before = flow.parameters()
    store("child", template({"A": parameter("2"), "New": parameter()}))
    url = store("child", template({"A": parameter("2"), "New": parameter()}))
    failing = template(
        {"Child": nested(url), "Other": parameter("2"), "Bad": {**UNMAKEABLE, "DependsOn": "Child"}}
    )
    flow.update("parent", failing, ends="UPDATE_ROLLBACK_COMPLETE")
    child = child_of(flow, "parent")
    assert child["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert flow.parameters() == before


def test_a_nested_stack_whose_update_fails_is_rolled_back_with_its_parent(flow: Flow, store: Store) -> None:
    body = template({"Child": nested(store("child", template({"A": parameter("1")})))})
    flow.create("parent", body)
    before = flow.parameters()
    store("child", template({"A": parameter("2"), "Bad": {**UNMAKEABLE, "DependsOn": "A"}}))
    flow.update("parent", body, ends="UPDATE_ROLLBACK_COMPLETE")
    reason = next(why for _, status, why in flow.events("parent") if status == "UPDATE_FAILED")
    assert reason.startswith("Embedded stack arn:")
    assert "was not successfully updated. Currently in UPDATE_ROLLBACK_IN_PROGRESS with reason:" in reason
    assert child_of(flow, "parent")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert flow.parameters() == before


def test_types_that_cannot_be_made_are_refused_in_nested_stacks_before_anything_is_made(
    flow: Flow, store: Store
) -> None:
    body = template(
        {"T": topic(), "Child": nested(store("odd", template({"X": {"Type": "AWS::Batch::JobQueue"}})))}
    )
    with pytest.raises(ClientError, match=r"Resource Child: the emulator cannot create X of type AWS::Batch"):
        flow.api.create_stack(StackName="parent", TemplateBody=body)
    assert flow.topics() == []


def test_the_termination_protection_of_the_root_is_that_of_the_tree(flow: Flow, store: Store) -> None:
    flow.create(
        "parent", template({"Child": nested(store("child", CHILD))}), EnableTerminationProtection=True
    )
    child = flow.physical("parent")["Child"]
    with pytest.raises(ClientError, match="cannot be deleted while TerminationProtection is enabled"):
        flow.api.delete_stack(StackName=child)
    with pytest.raises(ClientError, match="nested stack"):
        flow.api.update_termination_protection(StackName=child, EnableTerminationProtection=False)


def test_a_capability_that_a_nested_stack_lacks_fails_it(flow: Flow, store: Store) -> None:
    role = {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    }
    body = template({"Child": nested(store("role", template({"R": role})))})
    flow.create("parent", body, ends="ROLLBACK_COMPLETE")
    reason = next(why for _, status, why in flow.events("parent") if status == "CREATE_FAILED")
    assert reason == "Requires capabilities : [CAPABILITY_IAM]"
