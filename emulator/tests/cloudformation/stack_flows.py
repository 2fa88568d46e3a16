"""Stacks of a live emulator, made and watched by boto3."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from samjhadoo_emulator.testing import Emulator, eventually


def template(resources: dict[str, Any], **sections: Any) -> str:
    """Return a template's text."""
    return json.dumps({"Resources": resources, **sections})


def parameter(value: Any = "x", **further: Any) -> dict[str, Any]:
    """Return an SSM parameter, the cheapest resource there is; attributes like DependsOn are `further`."""
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": value}, **further}


def topic(**further: Any) -> dict[str, Any]:
    """Return an SNS topic."""
    return {"Type": "AWS::SNS::Topic", **further}


UNMAKEABLE = {
    "Type": "AWS::SSM::Parameter",
    "Properties": {"Type": "String", "Value": "x", "Name": "aws/not/allowed"},
}
"""A resource that AWS refuses."""


@dataclass
class Flow:
    """Stacks of one emulator."""

    emulator: Emulator

    @property
    def api(self) -> Any:
        return self.emulator.client("cloudformation")

    def create(self, name: str, body: str, *, ends: str = "CREATE_COMPLETE", **params: Any) -> str:
        """Create a stack, wait for its final status, and return its ARN."""
        identity: str = self.api.create_stack(StackName=name, TemplateBody=body, **params)["StackId"]
        self.settle(identity, ends)
        return identity

    def update(self, name: str, body: str = "", *, ends: str = "UPDATE_COMPLETE", **params: Any) -> None:
        """Update a stack and wait for its final status."""
        given = {"TemplateBody": body} if body else {"UsePreviousTemplate": True}
        self.api.update_stack(StackName=name, **given, **params)
        self.settle(name, ends)

    def delete(self, name: str, *, ends: str = "DELETE_COMPLETE", **params: Any) -> None:
        """Delete a stack and wait for its final status."""
        identity = self.stack(name)["StackId"]
        self.api.delete_stack(StackName=name, **params)
        self.settle(identity, ends)

    def settle(self, name: str, status: str) -> dict[str, Any]:
        """Wait until nothing is under way on a stack, and check its status."""
        found: dict[str, Any] = eventually(lambda: self._settled(name))
        assert found["StackStatus"] == status, found.get("StackStatusReason")
        return found

    def _settled(self, name: str) -> dict[str, Any] | None:
        stack = self.stack(name)
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    def stack(self, name: str) -> dict[str, Any]:
        """Return botocore's `Stack`."""
        found: dict[str, Any] = self.api.describe_stacks(StackName=name)["Stacks"][0]
        return found

    def outputs(self, name: str) -> dict[str, str]:
        """Return a stack's outputs."""
        return {each["OutputKey"]: each["OutputValue"] for each in self.stack(name).get("Outputs", ())}

    def events(self, name: str, *of: str) -> list[tuple[str, str, str]]:
        """Return (logical id, status, reason) of each event, the oldest first; of some logical ids only."""
        pages = self.api.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            (
                event["LogicalResourceId"],
                event["ResourceStatus"],
                event.get("ResourceStatusReason", ""),
            )
            for event in reversed(events)
            if not of or event["LogicalResourceId"] in of
        ]

    def statuses(self, name: str, *of: str) -> list[tuple[str, str]]:
        """Return (logical id, status) of each event, the oldest first."""
        return [(logical_id, status) for logical_id, status, _ in self.events(name, *of)]

    def physical(self, name: str) -> dict[str, str]:
        """Return the physical ids by logical id."""
        pages = self.api.get_paginator("list_stack_resources").paginate(StackName=name)
        return {
            each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
            for page in pages
            for each in page["StackResourceSummaries"]
        }

    def parameters(self) -> dict[str, str]:
        """Return the SSM parameters that exist, with their values."""
        pages = self.emulator.client("ssm").get_paginator("get_parameters_by_path")
        found = pages.paginate(Path="/", Recursive=True)
        return {each["Name"]: each["Value"] for page in found for each in page["Parameters"]}

    def topics(self) -> list[str]:
        """Return the ARNs of the SNS topics that exist."""
        found = self.emulator.client("sns").list_topics()["Topics"]
        return [each["TopicArn"] for each in found]

    def clear(self) -> None:
        """Delete every stack, those that others import from last."""
        while stacks := [each for each in self.api.describe_stacks()["Stacks"] if not each.get("ParentId")]:
            for stack in stacks:
                name = stack["StackId"]
                self.api.update_termination_protection(StackName=name, EnableTerminationProtection=False)
                eventually(lambda name=name: self._settled(name))
                self.api.delete_stack(StackName=name)
                eventually(lambda name=name: self._settled(name))
