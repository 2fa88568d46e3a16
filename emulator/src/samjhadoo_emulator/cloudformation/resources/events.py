"""Amazon EventBridge: rules and their targets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

LONGEST_NAME = 64
_DEFAULT_BUS = "default"


class EventsRule(ApiType):
    """A rule of an event bus, with its targets; `Ref` is its name, after that of a bus of one's own."""

    name = "AWS::Events::Rule"
    service, creation, deletion = "events", "PutRule", "DeleteRule"
    fixed: ClassVar = frozenset({"EventBusName"})

    def identity(self, request: Request) -> dict[str, Any]:
        bus, _, name = request.id.rpartition("|")
        return {"Name": name, "EventBusName": bus or _DEFAULT_BUS}

    def given(self, request: Request) -> dict[str, Any]:
        return {"Name": request.generated_name(longest=LONGEST_NAME), **super().given(request)}

    async def make(self, request: Request) -> Resource:
        params = self.given(request)
        arn = (await self.call(request, self.creation, **params))["RuleArn"]
        bus, name = params.get("EventBusName", _DEFAULT_BUS), params["Name"]
        identity = name if bus == _DEFAULT_BUS else f"{bus}|{name}"
        return Resource(identity, {"Arn": arn, "RuleName": name})

    @puts("Description", "EventPattern", "RoleArn", "ScheduleExpression", "State")
    async def put_rule(self, request: Request) -> None:
        params = {**self.given(request), **self.identity(request)}
        params.pop("Tags", None)  # an existing rule's have an operation of their own
        await self.call(request, self.creation, **params)

    @puts("Targets")
    async def put_targets(self, request: Request) -> None:
        wanted, before = (each.get("Targets") or [] for each in (request.properties, request.previous))
        named = self.rule(request)
        kept = {each["Id"] for each in wanted}
        if removed := sorted({each["Id"] for each in before} - kept):
            await self.call(request, "RemoveTargets", **named, Ids=removed)
        if wanted:
            params = shapes.parameters(self.service, "PutTargets", {"Targets": wanted})
            await self.call(request, "PutTargets", **named, **params)

    def rule(self, request: Request) -> dict[str, Any]:
        """Return the parameters that name the rule in operations about its targets."""
        identity = self.identity(request)
        return {"Rule": identity["Name"], "EventBusName": identity["EventBusName"]}

    async def put_tags(self, request: Request) -> None:
        named = {"ResourceARN": request.attributes["Arn"]}
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", **named, Tags=tag_list(found))

    async def remove(self, request: Request) -> None:
        """Delete the rule after its targets."""
        if targets := [each["Id"] for each in request.properties.get("Targets") or ()]:
            await self.call_if_there(request, "RemoveTargets", **self.rule(request), Ids=targets)
        await super().remove(request)

    async def describe(self, request: Request) -> Properties | None:
        rule = await self.call(request, "DescribeRule", **self.identity(request))
        targets = await self.call(request, "ListTargetsByRule", **self.rule(request))
        pattern = rule.get("EventPattern")
        return {
            **rule,
            "EventPattern": json.loads(pattern) if pattern else None,
            "Targets": targets["Targets"],
        }


TYPES = (EventsRule(),)
