"""Application Auto Scaling: scalable targets with their scheduled actions, and scaling policies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import puts, removed_tags, tags
from samjhadoo_emulator.cloudformation.resources.put_type import PutType
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

SERVICE = "application-autoscaling"
_KEY = ("ResourceId", "ScalableDimension", "ServiceNamespace")


class ScalingType(PutType):
    """A resource type of Application Auto Scaling, which says `ObjectNotFoundException` of what is gone."""

    service = SERVICE


class AutoScalingTarget(ScalingType):
    """The desired count of a service; `Ref` is its resource, dimension and namespace."""

    name = "AWS::ApplicationAutoScaling::ScalableTarget"
    creation, deletion = "RegisterScalableTarget", "DeregisterScalableTarget"

    def identity(self, request: Request) -> dict[str, Any]:
        return dict(zip(_KEY, request.id.split("|"), strict=True))

    def named(self, request: Request) -> str:
        return "|".join(request.properties[each] for each in _KEY)

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        name = self.named(request)
        return Resource(name, {"Id": name})

    def replaced(self, request: Request) -> dict[str, Any]:
        """Return the parameters; suspensions that the template no longer has end."""
        suspended = {"DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended"}
        params = super().replaced(request)
        if "SuspendedState" in request.previous:
            given = request.properties.get("SuspendedState") or {}
            params["SuspendedState"] = {name: bool(given.get(name)) for name in suspended}
        return params

    @puts("ScheduledActions")
    async def put_scheduled_actions(self, request: Request) -> None:
        key = self.identity(request)
        wanted = request.properties.get("ScheduledActions") or []
        for action in wanted:
            params = shapes.parameters(self.service, "PutScheduledAction", action)
            await self.call(request, "PutScheduledAction", **key, **params)
        names = {action["ScheduledActionName"] for action in wanted}
        for action in request.previous.get("ScheduledActions") or ():
            if (name := action["ScheduledActionName"]) not in names:
                params = {**key, "ScheduledActionName": name}
                await self.call_if_there(request, "DeleteScheduledAction", **params)

    async def put_tags(self, request: Request) -> None:
        target = await self._target(request)
        arn = target["ScalableTargetARN"] if target else ""
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceARN=arn, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceARN=arn, Tags=found)

    async def _target(self, request: Request) -> dict[str, Any] | None:
        key = self.identity(request)
        params = {**key, "ResourceIds": [key.pop("ResourceId")]}
        params.pop("ResourceId")
        found = (await self.call(request, "DescribeScalableTargets", **params))["ScalableTargets"]
        return found[0] if found else None

    async def describe(self, request: Request) -> Properties | None:
        target = await self._target(request)
        if target is None:
            return None
        answer = await self.call(request, "DescribeScheduledActions", **self.identity(request))
        found = in_schema(self.name, {**target, "ScheduledActions": answer["ScheduledActions"]})
        return found | {"ScheduledActions": found["ScheduledActions"] or None}


class ScalingPolicy(ScalingType):
    """A policy of a scalable target; `Ref` is its ARN."""

    name = "AWS::ApplicationAutoScaling::ScalingPolicy"
    creation, deletion = "PutScalingPolicy", "DeleteScalingPolicy"
    made_with = frozenset({"ScalingTargetId"})
    unsupported = frozenset({"PredictiveScalingPolicyConfiguration"})

    def identity(self, request: Request) -> dict[str, Any]:
        """Return the policy's name and its target, named by `ScalingTargetId` or by its parts."""
        given = request.properties
        if "ScalingTargetId" in given:
            parts: dict[str, Any] = dict(zip(_KEY, given["ScalingTargetId"].split("|"), strict=True))
        else:
            parts = {name: given[name] for name in _KEY if name in given}
        return {"PolicyName": given["PolicyName"], **parts}

    def named(self, request: Request) -> str:
        return str(request.properties["PolicyName"])

    async def make(self, request: Request) -> Resource:
        params = {**self.given(request), **self.identity(request)}
        arn = (await self.call(request, self.creation, **params))["PolicyARN"]
        return Resource(arn, {"Arn": arn})

    async def describe(self, request: Request) -> Properties | None:
        key = self.identity(request)
        params = {"PolicyNames": [key.pop("PolicyName")], **key}
        found = (await self.call(request, "DescribeScalingPolicies", **params))["ScalingPolicies"]
        return in_schema(self.name, found[0]) if found else None


TYPES = (AutoScalingTarget(), ScalingPolicy())
