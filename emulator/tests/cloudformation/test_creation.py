"""Creation of stacks: order, events, outputs, and what happens when a resource cannot be made."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack_flows import UNMAKEABLE, Flow, parameter, template, topic

NAMED = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "x", "Name": "mine"}}
FAILED = 'Resource handler returned message: "'


def test_a_stack_is_created_in_the_order_of_its_references_with_aws_s_events(flow: Flow) -> None:
    body = template(
        {
            "Name": parameter({"Fn::Sub": "${Topic.TopicName}!"}),
            "Topic": topic(),
            "Last": parameter(DependsOn="Name"),
        },
        Outputs={"Arn": {"Value": {"Ref": "Topic"}, "Description": "its ARN"}},
    )
    identity = flow.create("first", body)
    assert flow.events("first") == [
        ("first", "CREATE_IN_PROGRESS", "User Initiated"),
        *(
            (name, status, reason)
            for name in ("Topic", "Name", "Last")
            for status, reason in (
                ("CREATE_IN_PROGRESS", ""),
                ("CREATE_IN_PROGRESS", "Resource creation Initiated"),
                ("CREATE_COMPLETE", ""),
            )
        ),
        ("first", "CREATE_COMPLETE", ""),
    ]
    physical = flow.physical("first")
    assert flow.topics() == [physical["Topic"]]
    assert flow.parameters()[physical["Name"]] == f"{physical['Topic'].rpartition(':')[2]}!"
    stack = flow.stack(identity)
    assert stack["Outputs"] == [
        {"OutputKey": "Arn", "OutputValue": physical["Topic"], "Description": "its ARN"}
    ]
    assert physical["Topic"].rpartition(":")[2].startswith("first-Topic-")


def test_independent_resources_are_made_side_by_side(flow: Flow) -> None:
    flow.emulator.faults.delay("ssm", "PutParameter", 0.3, callers="services")
    flow.create("wide", template({f"P{number}": parameter() for number in range(8)}))
    begun = [status for _, status in flow.statuses("wide")]
    assert begun.index("CREATE_COMPLETE") > 8


def test_a_failed_creation_deletes_what_it_has_made(flow: Flow) -> None:
    body = template(
        {"Good": parameter(), "Bad": {**UNMAKEABLE, "DependsOn": "Good"}, "After": topic(DependsOn="Bad")}
    )
    identity = flow.create("broken", body, ends="ROLLBACK_COMPLETE")
    assert flow.parameters() == {}
    events = flow.events("broken")
    bad = next(reason for name, status, reason in events if (name, status) == ("Bad", "CREATE_FAILED"))
    assert bad.startswith(FAILED)
    assert "(Service: Ssm, Status Code: 400" in bad
    assert "HandlerErrorCode:" in bad
    assert (
        "broken",
        "ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Bad]. Rollback requested by user.",
    ) in events
    assert flow.statuses("broken")[-3:] == [
        ("Good", "DELETE_IN_PROGRESS"),
        ("Good", "DELETE_COMPLETE"),
        ("broken", "ROLLBACK_COMPLETE"),
    ]
    assert "After" not in {name for name, _ in flow.statuses("broken")}
    with pytest.raises(
        ClientError, match=f"Stack:{identity} is in ROLLBACK_COMPLETE state and can not be updated"
    ):
        flow.api.update_stack(StackName="broken", TemplateBody=template({"Good": parameter()}))


def test_what_is_under_way_is_cancelled_when_another_resource_fails(flow: Flow) -> None:
    flow.emulator.faults.delay("sns", "CreateTopic", 1.0, callers="services")
    body = template(
        {
            "Slow": topic(Properties={"Tags": [{"Key": "a", "Value": "b"}]}),
            "Bad": UNMAKEABLE,
            "Later": topic(DependsOn="Slow"),
        }
    )
    flow.create("hasty", body, ends="ROLLBACK_COMPLETE")
    assert flow.topics() == []
    assert "Later" not in {name for name, _ in flow.statuses("hasty")}


@pytest.mark.parametrize(
    ("params", "ends", "left"),
    [
        ({"OnFailure": "DO_NOTHING"}, "CREATE_FAILED", 1),
        ({"DisableRollback": True}, "CREATE_FAILED", 1),
        ({"DeploymentConfig": {"DisableRollback": True}}, "CREATE_FAILED", 1),
        ({"OnFailure": "DELETE"}, "DELETE_COMPLETE", 0),
        ({"OnFailure": "ROLLBACK"}, "ROLLBACK_COMPLETE", 0),
    ],
)
def test_a_failed_creation_ends_as_its_caller_wants(
    flow: Flow, params: dict[str, Any], ends: str, left: int
) -> None:
    body = template({"Good": parameter(), "Bad": {**UNMAKEABLE, "DependsOn": "Good"}})
    flow.create("broken", body, ends=ends, **params)
    assert len(flow.parameters()) == left


@pytest.mark.parametrize(
    ("policy", "params", "left"),
    [("Retain", {}, 1), ("RetainExceptOnCreate", {}, 0), ("Retain", {"RetainExceptOnCreate": True}, 0)],
)
def test_what_is_to_be_retained_outlives_a_failed_creation(
    flow: Flow, policy: str, params: dict[str, Any], left: int
) -> None:
    body = template({"Good": parameter(DeletionPolicy=policy), "Bad": {**UNMAKEABLE, "DependsOn": "Good"}})
    flow.create("broken", body, ends="ROLLBACK_COMPLETE", **params)
    kept = flow.parameters()
    assert len(kept) == left
    assert (("Good", "DELETE_SKIPPED") in flow.statuses("broken")) == bool(left)
    for name in kept:
        flow.emulator.client("ssm").delete_parameter(Name=name)


def test_without_rollback_independent_branches_are_finished_and_an_update_completes_the_stack(
    flow: Flow,
) -> None:
    resources = {"Bad": UNMAKEABLE, "Other": parameter(), "More": parameter({"Ref": "Other"})}
    flow.create("half", template(resources), ends="CREATE_FAILED", DisableRollback=True)
    assert len(flow.parameters()) == 2
    assert flow.stack("half")["StackStatusReason"] == "The following resource(s) failed to create: [Bad]. "
    flow.update("half", template({**resources, "Bad": parameter()}), DisableRollback=True)
    assert len(flow.parameters()) == 3


def test_without_rollback_a_failed_creation_can_be_rolled_back_later(flow: Flow) -> None:
    flow.create(
        "half",
        template({"Bad": UNMAKEABLE, "Other": parameter()}),
        ends="CREATE_FAILED",
        DisableRollback=True,
    )
    flow.api.rollback_stack(StackName="half")
    flow.settle("half", "ROLLBACK_COMPLETE")
    assert flow.parameters() == {}


def test_a_creation_that_takes_too_long_is_rolled_back(flow: Flow) -> None:
    flow.emulator.faults.delay("ssm", "PutParameter", 0.8, callers="services")
    body = template({"A": parameter(), "B": parameter({"Ref": "A"}), "C": parameter({"Ref": "B"})})
    flow.create("late", body, ends="ROLLBACK_COMPLETE", TimeoutInMinutes=1)
    assert flow.parameters() == {}
    reasons = [reason for _, status, reason in flow.events("late") if status == "ROLLBACK_IN_PROGRESS"]
    assert "Rollback requested by user." in reasons[0]


def test_a_property_that_its_type_does_not_have_fails_the_stack_before_anything_is_made(flow: Flow) -> None:
    wrong = {"Type": "AWS::SNS::Topic", "Properties": {"Colour": "red"}}
    body = template({"First": parameter(), "Topic": {**wrong, "DependsOn": "First"}})
    flow.create("wrong", body, ends="ROLLBACK_COMPLETE")
    assert [name for name, _ in flow.statuses("wrong")] == ["wrong", "wrong", "wrong"]
    assert "AWS::EarlyValidation::PropertyValidation" in flow.events("wrong")[1][2]
    found = flow.api.describe_events(StackName="wrong", Filters={"FailedEvents": True})["OperationEvents"]
    assert [each["ValidationPath"] for each in found] == ["/Resources/Topic/Properties"]
    flow.delete("wrong")
    flow.create("wrong", body, ends="ROLLBACK_COMPLETE", DisableValidation=True)
    reasons = [reason for _, status, reason in flow.events("wrong") if status == "CREATE_FAILED"]
    assert "extraneous key [Colour] is not permitted" in reasons[0]


def test_a_name_that_is_taken_fails_the_stack_before_anything_is_made(flow: Flow) -> None:
    flow.create("owner", template({"P": NAMED}))
    flow.create("rival", template({"First": parameter(), "P": NAMED}), ends="ROLLBACK_COMPLETE")
    assert len(flow.parameters()) == 1
    assert "AWS::EarlyValidation::ResourceExistenceCheck" in flow.events("rival")[1][2]
    flow.delete("rival")
    flow.create("rival", template({"First": parameter()}))
    flow.update("rival", template({"First": parameter("2"), "P": NAMED}), ends="UPDATE_ROLLBACK_COMPLETE")
    assert ("First", "UPDATE_IN_PROGRESS") not in flow.statuses("rival")
    flow.delete("owner")
    flow.update("rival", template({"First": parameter("2"), "P": NAMED}))


def test_a_permission_that_is_lacking_is_told_with_its_reason(flow: Flow) -> None:
    flow.emulator.faults.refuse(
        "sns",
        "CreateTopic",
        "AccessDenied",
        "User: x is not authorized to perform: SNS:CreateTopic",
        callers="services",
    )
    flow.create("denied", template({"Topic": topic()}), ends="ROLLBACK_COMPLETE")
    reasons = [reason for _, status, reason in flow.events("denied") if status == "CREATE_FAILED"]
    assert "is not authorized to perform: SNS:CreateTopic (Service: Sns" in reasons[0]
    assert reasons[0].endswith("HandlerErrorCode: AccessDenied)")


def test_throttled_calls_are_repeated(flow: Flow) -> None:
    flow.emulator.faults.throttle("ssm", "PutParameter", callers="services", count=5)
    flow.create("throttled", template({f"P{number}": parameter() for number in range(4)}))
    assert len(flow.parameters()) == 4


def test_a_service_that_throttles_for_ever_fails_the_resource(flow: Flow) -> None:
    flow.emulator.faults.throttle("ssm", "PutParameter", callers="services")
    flow.create("throttled", template({"P": parameter()}), ends="ROLLBACK_COMPLETE")
    reasons = [reason for _, status, reason in flow.events("throttled") if status == "CREATE_FAILED"]
    assert reasons[0].endswith("HandlerErrorCode: Throttling)")


def test_values_of_parameters_without_echo_are_never_shown(flow: Flow) -> None:
    body = template(
        {"P": parameter({"Ref": "Secret"})}, Parameters={"Secret": {"Type": "String", "NoEcho": True}}
    )
    flow.create("secret", body, Parameters=[{"ParameterKey": "Secret", "ParameterValue": "hush"}])
    assert list(flow.parameters().values()) == ["hush"]
    assert flow.stack("secret")["Parameters"] == [{"ParameterKey": "Secret", "ParameterValue": "****"}]
    assert "hush" not in str(flow.api.describe_stack_events(StackName="secret")["StackEvents"])


def test_resources_get_the_stack_s_tags(flow: Flow) -> None:
    flow.create("tagged", template({"Topic": topic()}), Tags=[{"Key": "team", "Value": "web"}])
    tags = flow.emulator.client("sns").list_tags_for_resource(ResourceArn=flow.topics()[0])["Tags"]
    assert {"Key": "team", "Value": "web"} in tags
    flow.update("tagged", Tags=[{"Key": "team", "Value": "shop"}])
    tags = flow.emulator.client("sns").list_tags_for_resource(ResourceArn=flow.topics()[0])["Tags"]
    assert {"Key": "team", "Value": "shop"} in tags
    assert ("Topic", "UPDATE_COMPLETE") in flow.statuses("tagged")


def test_events_are_published_to_the_stack_s_topics(flow: Flow) -> None:
    from samjhadoo_emulator.testing import eventually

    sns, sqs = flow.emulator.client("sns"), flow.emulator.client("sqs")
    arn = sns.create_topic(Name="news")["TopicArn"]
    queue = sqs.create_queue(QueueName="news")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue_arn)
    flow.create("loud", template({"P": parameter()}), NotificationARNs=[arn])
    bodies: list[str] = []

    def heard() -> bool:
        bodies.extend(
            each["Body"]
            for each in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", ())
        )
        return any(
            "ResourceStatus='CREATE_COMPLETE'" in body and "LogicalResourceId='loud'" in body
            for body in bodies
        )

    eventually(heard)
    assert flow.stack("loud")["NotificationARNs"] == [arn]
    sns.delete_topic(TopicArn=arn)
    sqs.delete_queue(QueueUrl=queue)
