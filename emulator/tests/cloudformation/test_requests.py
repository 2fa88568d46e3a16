"""Requests that are refused, and answers beside those of operations: templates, limits, policies, events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack_flows import Flow, parameter, template, topic

ROLE: dict[str, Any] = {
    "Type": "AWS::IAM::Role",
    "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "Template format error"),
        ("[]", "Template format error"),
        (template({}), "At least one Resources member must be defined"),
        (template({"X": {"Type": "AWS::No::Such"}}), r"Unrecognized resource types: \[AWS::No::Such\]"),
        (
            template({"X": {"Type": "AWS::Batch::JobQueue"}}),
            "Resource X: the emulator cannot create resources of type AWS::Batch::JobQueue",
        ),
        (
            template({"X": {"Type": "Custom::Thing", "Properties": {"ServiceToken": "a"}}}),
            "the emulator cannot create resources of type Custom::Thing",
        ),
        (
            template({"A": parameter({"Ref": "B"}), "B": parameter({"Ref": "A"})}),
            "Circular dependency between resources: ",
        ),
        (template({"A": parameter({"Ref": "Nobody"})}), r"Unresolved resource dependencies \[Nobody\]"),
        (
            template({"A": parameter({"Ref": "P"})}, Parameters={"P": {"Type": "String"}}),
            r"Parameters: \[P\] must have values",
        ),
        (
            json.dumps({"Resources": {"A": parameter()}, "Transform": "AWS::Serverless-2016-10-31"}),
            "AWS::Serverless|CAPABILITY_AUTO_EXPAND",
        ),
        ("x" * 51_201, "Member must have length less than or equal to 51200"),
    ],
)
def test_a_template_that_cannot_be_is_refused_before_anything_is_made(
    flow: Flow, body: str, message: str
) -> None:
    with pytest.raises(ClientError, match=message):
        flow.api.create_stack(StackName="s", TemplateBody=body)
    assert flow.api.describe_stacks()["Stacks"] == []


@pytest.mark.parametrize(
    ("role", "given", "missing"),
    [
        (ROLE, [], "CAPABILITY_IAM"),
        (
            {**ROLE, "Properties": {**ROLE["Properties"], "RoleName": "r"}},
            ["CAPABILITY_IAM"],
            "CAPABILITY_NAMED_IAM",
        ),
    ],
)
def test_capabilities_have_to_be_acknowledged(flow: Flow, role: Any, given: list[str], missing: str) -> None:
    with pytest.raises(
        ClientError, match=rf"\(InsufficientCapabilitiesException\).*Requires capabilities : \[{missing}\]"
    ):
        flow.api.create_stack(StackName="s", TemplateBody=template({"R": role}), Capabilities=given)
    flow.create("s", template({"R": role}), Capabilities=["CAPABILITY_NAMED_IAM"])


@pytest.mark.parametrize("name", ["1st", "under_score", "a" * 129])
def test_names_of_stacks_are_checked(flow: Flow, name: str) -> None:
    with pytest.raises(ClientError, match="Value '.*' at 'stackName' failed to satisfy constraint"):
        flow.api.create_stack(StackName=name, TemplateBody=template({"A": parameter()}))


@pytest.mark.parametrize(
    ("call", "params", "message"),
    [
        ("describe_stacks", {}, "Stack with id nobody does not exist"),
        ("get_template", {}, "Stack with id nobody does not exist"),
        ("update_stack", {"TemplateBody": "{}"}, r"Stack \[nobody\] does not exist"),
        ("describe_stack_events", {}, r"Stack \[nobody\] does not exist"),
        ("describe_stack_resources", {}, "Stack with id nobody does not exist"),
        ("list_stack_resources", {}, "Stack with id nobody does not exist"),
        ("describe_stack_resource", {"LogicalResourceId": "A"}, "Stack 'nobody' does not exist"),
        ("cancel_update_stack", {}, r"Stack \[nobody\] does not exist"),
        ("rollback_stack", {}, r"Stack \[nobody\] does not exist"),
        ("continue_update_rollback", {}, r"Stack \[nobody\] does not exist"),
    ],
)
def test_a_stack_that_is_not_there_is_named_as_aws_names_it(
    flow: Flow, call: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ClientError, match=rf"\(ValidationError\).*{message}"):
        getattr(flow.api, call)(StackName="nobody", **params)


@pytest.mark.parametrize(
    ("call", "params"),
    [
        ("create_stack_set", {"StackSetName": "s"}),
        ("register_type", {"TypeName": "Some::Own::Type", "SchemaHandlerPackage": "s3://x"}),
        ("list_types", {}),
        ("create_generated_template", {"GeneratedTemplateName": "t"}),
        ("create_stack_refactor", {"StackDefinitions": [{"StackName": "s"}]}),
    ],
)
def test_what_the_emulator_does_not_have_is_refused_by_name(
    flow: Flow, call: str, params: dict[str, Any]
) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        getattr(flow.api, call)(**params)


def test_a_client_request_token_is_in_every_event_and_used_once(flow: Flow) -> None:
    body = template({"A": parameter()})
    flow.create("s", body, ClientRequestToken="once")
    events = flow.api.describe_stack_events(StackName="s")["StackEvents"]
    assert {each["ClientRequestToken"] for each in events} == {"once"}
    with pytest.raises(ClientError, match="TokenAlreadyExistsException"):
        flow.api.update_stack(
            StackName="s", TemplateBody=template({"A": parameter("2")}), ClientRequestToken="once"
        )


def test_events_of_one_operation_can_be_asked_for(flow: Flow) -> None:
    flow.create("s", template({"A": parameter("1")}))
    begun = flow.api.update_stack(StackName="s", TemplateBody=template({"A": parameter("2")}))["OperationId"]
    flow.settle("s", "UPDATE_COMPLETE")
    events = flow.api.describe_events(OperationId=begun)["OperationEvents"]
    assert {each["OperationType"] for each in events} == {"UPDATE_STACK"}
    assert [each["ResourceStatus"] for each in reversed(events)] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]
    assert flow.stack("s")["LastOperations"] == [{"OperationType": "UPDATE_STACK", "OperationId": begun}]
    assert flow.api.describe_events(StackName="s", Filters={"FailedEvents": True})["OperationEvents"] == []


def test_long_lists_come_in_pages(flow: Flow) -> None:
    flow.create("s", template({f"P{number:03}": parameter() for number in range(120)}))
    assert len(flow.physical("s")) == 120
    assert len(flow.api.list_stack_resources(StackName="s")["StackResourceSummaries"]) == 100
    assert len(flow.events("s")) == 362
    with pytest.raises(ClientError, match="ValidationError"):
        flow.api.list_stack_resources(StackName="s", NextToken="wrong")


def test_a_template_is_shown_as_it_was_given_and_as_it_was_processed(flow: Flow) -> None:
    text = (
        "Transform: AWS::LanguageExtensions\n"
        "Resources:\n"
        "  Fn::ForEach::Names:\n"
        "    - Name\n"
        "    - [One, Two]\n"
        "    - P${Name}:\n"
        "        Type: AWS::SSM::Parameter\n"
        "        Properties: {Type: String, Value: !Ref AWS::StackName}\n"
    )
    flow.create("s", text, Capabilities=["CAPABILITY_AUTO_EXPAND"])
    assert flow.physical("s").keys() == {"POne", "PTwo"}
    assert flow.api.get_template(StackName="s")["TemplateBody"] == text
    processed = flow.api.get_template(StackName="s", TemplateStage="Processed")["TemplateBody"]
    assert processed["Resources"].keys() == {"POne", "PTwo"}


def test_templates_are_summarised_and_validated(flow: Flow) -> None:
    body = template({"R": ROLE, "T": topic()}, Parameters={"P": {"Type": "String", "Default": "x"}})
    valid = flow.api.validate_template(TemplateBody=body)
    assert valid["Capabilities"] == ["CAPABILITY_IAM"]
    assert valid["Parameters"] == [{"ParameterKey": "P", "DefaultValue": "x", "NoEcho": False}]
    summary = flow.api.get_template_summary(TemplateBody=body)
    assert sorted(summary["ResourceTypes"]) == ["AWS::IAM::Role", "AWS::SNS::Topic"]
    flow.create("s", body, Capabilities=["CAPABILITY_IAM"])
    assert flow.api.get_template_summary(StackName="s")["Parameters"] == summary["Parameters"]
    assert flow.api.estimate_template_cost(TemplateBody=body)["Url"].startswith("https://")
    with pytest.raises(ClientError, match="Unrecognized resource types"):
        flow.api.validate_template(TemplateBody=template({"X": {"Type": "AWS::No::Such"}}))


def test_stack_policies_are_kept(flow: Flow) -> None:
    flow.create("s", template({"A": parameter()}))
    assert "StackPolicyBody" not in flow.api.get_stack_policy(StackName="s")
    flow.api.set_stack_policy(StackName="s", StackPolicyBody='{"Statement": []}')
    assert flow.api.get_stack_policy(StackName="s")["StackPolicyBody"] == '{"Statement": []}'


def test_a_role_is_kept_and_shown(flow: Flow) -> None:
    role = "arn:aws:iam::000000000000:role/deployer"
    flow.create("s", template({"A": parameter()}), RoleARN=role)
    assert flow.stack("s")["RoleARN"] == role


def test_a_stack_is_found_by_one_of_its_resources(flow: Flow) -> None:
    flow.create("s", template({"A": parameter()}))
    name = flow.physical("s")["A"]
    found = flow.api.describe_stack_resources(PhysicalResourceId=name)["StackResources"]
    assert [each["StackName"] for each in found] == ["s"]
    detail = flow.api.describe_stack_resource(StackName="s", LogicalResourceId="A")["StackResourceDetail"]
    assert detail["PhysicalResourceId"] == name


def test_the_waiters_of_boto3_work(flow: Flow) -> None:
    quick = {"Delay": 1, "MaxAttempts": 30}
    flow.api.create_stack(StackName="s", TemplateBody=template({"A": parameter("1")}))
    flow.api.get_waiter("stack_exists").wait(StackName="s", WaiterConfig=quick)
    flow.api.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig=quick)
    flow.api.update_stack(StackName="s", TemplateBody=template({"A": parameter("2")}))
    flow.api.get_waiter("stack_update_complete").wait(StackName="s", WaiterConfig=quick)
    flow.api.delete_stack(StackName="s")
    flow.api.get_waiter("stack_delete_complete").wait(StackName="s", WaiterConfig=quick)


def test_a_reset_forgets_stacks_and_ends_what_is_under_way(flow: Flow) -> None:
    flow.emulator.faults.delay("ssm", "PutParameter", 0.5, callers="services")
    flow.api.create_stack(
        StackName="s", TemplateBody=template({"A": parameter(), "B": parameter({"Ref": "A"})})
    )
    flow.emulator.reset()
    assert flow.api.list_stacks()["StackSummaries"] == []
    flow.create("s", template({"A": parameter()}))
