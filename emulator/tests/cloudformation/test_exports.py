"""Outputs that are exported to other stacks."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from stack_flows import Flow, parameter, template


def exporting(value: str = "1", name: str = "shared") -> str:
    outputs = {"O": {"Value": value, "Export": {"Name": name}}} if name else {}
    return template({"A": parameter(value)}, Outputs=outputs)


IMPORTING = template({"B": parameter({"Fn::ImportValue": "shared"})})


def test_an_export_is_imported_and_listed(flow: Flow) -> None:
    identity = flow.create("producer", exporting())
    flow.create("consumer", IMPORTING)
    assert flow.parameters()[flow.physical("consumer")["B"]] == "1"
    assert flow.api.list_exports()["Exports"] == [
        {"ExportingStackId": identity, "Name": "shared", "Value": "1"}
    ]
    assert flow.api.list_imports(ExportName="shared")["Imports"] == ["consumer"]


def test_an_export_in_use_can_neither_change_nor_go(flow: Flow) -> None:
    flow.create("producer", exporting())
    flow.create("consumer", IMPORTING)
    flow.update("producer", exporting("2"), ends="UPDATE_ROLLBACK_COMPLETE")
    reasons = [
        reason for _, status, reason in flow.events("producer") if status == "UPDATE_ROLLBACK_IN_PROGRESS"
    ]
    assert reasons == ["Export shared cannot be updated as it is in use by consumer"]
    flow.update("producer", exporting(name=""), ends="UPDATE_ROLLBACK_COMPLETE")
    flow.delete("producer", ends="UPDATE_ROLLBACK_COMPLETE")
    assert flow.stack("producer")["StackStatusReason"] == (
        "Export shared cannot be deleted as it is in use by consumer"
    )
    flow.delete("consumer")
    with pytest.raises(ClientError, match="Export 'shared' is not imported by any stack"):
        flow.api.list_imports(ExportName="shared")
    flow.update("producer", exporting("3"))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (IMPORTING, "No export named shared found."),
        (
            template({"P": parameter()}, Outputs={"O": {"Value": {"Fn::ImportValue": "shared"}}}),
            "No export named shared found.",
        ),
    ],
)
def test_an_export_that_is_not_there_fails_the_stack(flow: Flow, body: str, reason: str) -> None:
    flow.create("consumer", body, ends="ROLLBACK_COMPLETE")
    reasons = [why for _, status, why in flow.events("consumer") if status == "ROLLBACK_IN_PROGRESS"]
    assert reasons == [f"{reason} Rollback requested by user."]


def test_what_conditions_leave_out_is_not_imported(flow: Flow) -> None:
    """Widely used templates (widdix's) import an alarm's topic only where there is one."""
    missing = {"Fn::ImportValue": "missing"}
    body = template(
        {"P": parameter({"Fn::If": ["Never", missing, "own"]})},
        Conditions={"Never": {"Fn::Equals": ["a", "b"]}},
        Outputs={"O": {"Condition": "Never", "Value": missing}},
    )
    flow.create("consumer", body)
    assert list(flow.parameters().values()) == ["own"]


def test_the_name_of_an_export_is_unique_in_its_region(flow: Flow) -> None:
    flow.create("producer", exporting())
    flow.create("rival", exporting("2"), ends="ROLLBACK_COMPLETE")
    reasons = [why for _, status, why in flow.events("rival") if status == "ROLLBACK_IN_PROGRESS"]
    assert reasons[0].startswith("Export with name shared is already exported by stack producer")


def test_outputs_of_stacks_in_other_regions_can_be_read(flow: Flow) -> None:
    import boto3

    elsewhere: Any = boto3.client(
        "cloudformation",
        endpoint_url=flow.emulator.url,
        region_name="eu-west-1",
        aws_access_key_id=flow.emulator.key,
        aws_secret_access_key="test",
    )
    elsewhere.create_stack(StackName="producer", TemplateBody=exporting("far"))
    elsewhere.get_waiter("stack_create_complete").wait(StackName="producer", WaiterConfig={"Delay": 1})
    assert elsewhere.list_exports()["Exports"][0]["Value"] == "far"
    read = {"Fn::GetStackOutput": {"StackName": "producer", "OutputName": "O", "Region": "eu-west-1"}}
    flow.create("consumer", template({"B": parameter(read)}))
    assert list(flow.parameters().values()) == ["far"]
    elsewhere.delete_stack(StackName="producer")
