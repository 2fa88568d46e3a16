"""The API's operations that show stacks, their resources, events and exports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.base import CloudFormationBase
from samjhadoo_emulator.cloudformation.model import OnFailure
from samjhadoo_emulator.errors import validation_error
from samjhadoo_emulator.pagination import CLOUDFORMATION
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.model import Stack, StackEvent, StackResource
    from samjhadoo_emulator.service import Params, Result

DOES_NOT_EXIST: Final = "Stack with id {name} does not exist"
"""In which words some operations say that there is no such stack; clients look for them."""
MOST_DESCRIBED: Final = 100
"""Resources that DescribeStackResources returns at most."""


class StackAnswers(CloudFormationBase):
    """Shows stacks."""

    @operation("DescribeStacks")
    async def describe_stacks(self, params: Params) -> Result:
        if params.get("StackName"):
            stack = self.stacks.find(params["StackName"], words=DOES_NOT_EXIST)
            return {"Stacks": [stack_shape(stack)]}
        return CLOUDFORMATION.answer("Stacks", [stack_shape(stack) for stack in self.stacks.live()], params)

    @operation("ListStacks")
    async def list_stacks(self, params: Params) -> Result:
        wanted = params.get("StackStatusFilter")
        found = [_summary(stack) for stack in self.stacks if not wanted or stack.status in wanted]
        return CLOUDFORMATION.answer("StackSummaries", found, params)

    @operation("DescribeStackEvents")
    async def describe_stack_events(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"])
        events = [_event(event) for event in reversed(stack.events) if event.event_type == "STACK_EVENT"]
        return CLOUDFORMATION.answer("StackEvents", events, params)

    @operation("DescribeEvents")
    async def describe_events(self, params: Params) -> Result:
        events = [_operation_event(stack, event) for stack, event in self.selected_events(params)]
        return CLOUDFORMATION.answer("OperationEvents", events, params)

    def selected_events(self, params: Params) -> list[tuple[Stack, StackEvent]]:
        """Return the events that a request of DescribeEvents is about, the newest first."""
        operation_id = params.get("OperationId")
        if params.get("StackName"):
            stacks = [self.stacks.find(params["StackName"])]
        elif operation_id:
            stacks = list(self.stacks)
        else:
            raise validation_error("Either StackName, ChangeSetName or OperationId must be specified.")
        failed = bool((params.get("Filters") or {}).get("FailedEvents"))
        return [
            (stack, event)
            for stack in stacks
            for event in reversed(stack.events)
            if (not operation_id or event.operation_id == operation_id) and (not failed or _is_failure(event))
        ]

    @operation("DescribeStackResource")
    async def describe_stack_resource(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"], words="Stack '{name}' does not exist")
        record = stack.resources.get(params["LogicalResourceId"])
        if record is None:
            raise validation_error(
                f"Resource {params['LogicalResourceId']} does not exist for stack {stack.name}"
            )
        detail = {**_named(stack, record), "LastUpdatedTimestamp": record.updated}
        if record.entry.metadata:
            detail["Metadata"] = json.dumps(record.entry.metadata)
        return {"StackResourceDetail": detail}

    @operation("DescribeStackResources")
    async def describe_stack_resources(self, params: Params) -> Result:
        stack = self._stack_of(params)
        wanted = params.get("LogicalResourceId")
        if wanted and wanted not in stack.resources:
            raise validation_error(f"Resource {wanted} does not exist for stack {stack.name}")
        found = [
            {**_named(stack, record), "Timestamp": record.updated}
            for name, record in sorted(stack.resources.items())
            if record.updated and (not wanted or name == wanted)
        ]
        return {"StackResources": found[:MOST_DESCRIBED]}

    def _stack_of(self, params: Params) -> Stack:
        physical = params.get("PhysicalResourceId")
        if params.get("StackName"):
            return self.stacks.find(params["StackName"], words=DOES_NOT_EXIST)
        for stack in self.stacks.live() if physical else ():
            if any(record.id == physical for record in stack.resources.values()):
                return stack
        if physical:
            raise validation_error(f"Stack for {physical} does not exist")
        raise validation_error("Either StackName or PhysicalResourceId must be specified.")

    @operation("ListStackResources")
    async def list_stack_resources(self, params: Params) -> Result:
        stack = self.stacks.find(params["StackName"], words=DOES_NOT_EXIST)
        found = [
            {**_resource(record), "LastUpdatedTimestamp": record.updated}
            for _, record in sorted(stack.resources.items())
            if record.updated
        ]
        return CLOUDFORMATION.answer("StackResourceSummaries", found, params)

    @operation("ListExports")
    async def list_exports(self, params: Params) -> Result:
        found = [
            {"ExportingStackId": stack.id, "Name": output.export_name, "Value": output.value}
            for stack, output in self.exports.all()
        ]
        return CLOUDFORMATION.answer("Exports", found, params)

    @operation("ListImports")
    async def list_imports(self, params: Params) -> Result:
        importers = self.exports.importers(params["ExportName"])
        if not importers:
            raise validation_error(f"Export '{params['ExportName']}' is not imported by any stack.")
        return CLOUDFORMATION.answer("Imports", importers, params)

    @operation("DescribeAccountLimits")
    async def describe_account_limits(self, params: Params) -> Result:
        limits = {"StackLimit": 2000, "StackOutputsLimit": 200, "ConcurrentResourcesLimit": 2500}
        shapes = [{"Name": name, "Value": value} for name, value in limits.items()]
        return CLOUDFORMATION.answer("AccountLimits", shapes, params)


def stack_shape(stack: Stack) -> dict[str, Any]:
    """Return botocore's `Stack`."""
    definition, options = stack.definition, stack.options
    shape: dict[str, Any] = {
        **_summary(stack),
        "DisableRollback": options.disable_rollback or options.on_failure is OnFailure.DO_NOTHING,
        "EnableTerminationProtection": stack.termination_protection,
        "RollbackConfiguration": {},
        "NotificationARNs": list(definition.notification_arns) if definition else [],
        "Tags": _pairs(definition.tags if definition else {}),
    }
    shape.pop("TemplateDescription", None)
    if options.retain_except_on_create:
        shape["RetainExceptOnCreate"] = True
    if options.timeout:
        shape["TimeoutInMinutes"] = options.timeout
    if stack.change_set_id:
        shape["ChangeSetId"] = stack.change_set_id
    if definition is None:
        return shape
    if definition.parameters:
        shape["Parameters"] = [
            {
                "ParameterKey": name,
                "ParameterValue": parameter.shown,
                **({"ResolvedValue": parameter.resolved} if parameter.resolved else {}),
            }
            for name, parameter in definition.parameters.items()
        ]
    optional = {
        "Description": definition.template.description,
        "Capabilities": list(definition.capabilities),
        "RoleARN": definition.role_arn,
        "Outputs": _outputs(stack),
    }
    return shape | {name: value for name, value in optional.items() if value}


def _outputs(stack: Stack) -> list[dict[str, str]]:
    return [
        {
            "OutputKey": output.key,
            "OutputValue": output.value,
            **({"Description": output.description} if output.description else {}),
            **({"ExportName": output.export_name} if output.export_name else {}),
        }
        for output in stack.outputs
    ]


def _summary(stack: Stack) -> dict[str, Any]:
    """Return botocore's `StackSummary`."""
    shape: dict[str, Any] = {
        "StackId": stack.id,
        "StackName": stack.name,
        "CreationTime": stack.created,
        "StackStatus": stack.status.value,
        "DriftInformation": {
            "StackDriftStatus": stack.drift_status,
            **({"LastCheckTimestamp": stack.drift_checked} if stack.drift_checked else {}),
        },
        "LastOperations": [
            {"OperationType": each.type.value, "OperationId": each.id} for each in stack.operations[:-2:-1]
        ],
    }
    optional = {
        "LastUpdatedTime": stack.updated,
        "DeletionTime": stack.deleted,
        "StackStatusReason": stack.reason,
        "ParentId": stack.parent_id,
        "RootId": stack.root_id,
        "TemplateDescription": stack.definition.template.description if stack.definition else "",
    }
    return shape | {name: value for name, value in optional.items() if value}


def _event(event: StackEvent) -> dict[str, Any]:
    """Return botocore's `StackEvent`."""
    shape: dict[str, Any] = {
        "StackId": event.stack_id,
        "EventId": event.id,
        "StackName": event.stack_name,
        "OperationId": event.operation_id,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": event.timestamp,
        "ResourceStatus": event.status,
    }
    optional = {
        "ResourceStatusReason": event.reason,
        "ResourceProperties": event.properties,
        "ClientRequestToken": event.token,
    }
    return shape | {name: value for name, value in optional.items() if value}


def _operation_event(stack: Stack, event: StackEvent) -> dict[str, Any]:
    """Return botocore's `OperationEvent`."""
    shape = {name: value for name, value in _event(event).items() if name != "StackName" and value}
    run = next(each for each in stack.operations if each.id == event.operation_id)
    shape |= {"EventType": event.event_type, "OperationType": event.operation_type.value, **event.details}
    if event.logical_id == stack.name:
        shape |= {"OperationStatus": run.status, "StartTime": run.started}
        if run.ended and event is stack.events[-1]:
            shape["EndTime"] = run.ended
    return shape


def _is_failure(event: StackEvent) -> bool:
    return event.status.endswith("_FAILED") or event.event_type.endswith("_ERROR")


def _named(stack: Stack, record: StackResource) -> dict[str, Any]:
    return {"StackName": stack.name, "StackId": stack.id, **_resource(record)}


def _resource(record: StackResource) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "LogicalResourceId": record.logical_id,
        "PhysicalResourceId": record.id,
        "ResourceType": record.type,
        "ResourceStatus": record.status.value,
        "DriftInformation": {
            "StackResourceDriftStatus": record.drift_status,
            **({"LastCheckTimestamp": record.drift_checked} if record.drift_checked else {}),
        },
    }
    return shape | ({"ResourceStatusReason": record.reason} if record.reason else {})


def _pairs(tags: Any) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
