"""Amazon CloudWatch: alarms, composite alarms and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.arns import Home, partition
from samjhadoo_emulator.cloudformation.resources.api_type import removed_tags, tag_list, tags
from samjhadoo_emulator.cloudformation.resources.put_type import PutType
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class CloudWatchType(PutType):
    """A resource type of CloudWatch; `Ref` is the resource's name.

    Attributes:
        naming: The property, and parameter, that has the name.
    """

    service = "cloudwatch"
    naming: ClassVar[str]

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.naming: request.id}

    def arn(self, request: Request, name: str) -> str:
        """Return the ARN of the resource."""
        return f"{Home(self.service, request.region, request.account).prefix}alarm:{name}"

    def named(self, request: Request) -> str:
        return str(request.properties.get(self.naming, ""))

    async def make(self, request: Request) -> Resource:
        params = {self.naming: request.generated_name(), **self.given(request)}
        await self.call(request, self.creation, **params)
        name = params[self.naming]
        return Resource(name, {"Arn": self.arn(request, name)})

    async def put_tags(self, request: Request) -> None:
        arn = self.arn(request, request.id)
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", ResourceARN=arn, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", ResourceARN=arn, Tags=tag_list(found))


class AlarmType(CloudWatchType):
    """A type of alarms.

    Attributes:
        listed: The type in DescribeAlarms; with an s, the member of its answer.
    """

    deletion = "DeleteAlarms"
    naming = "AlarmName"
    listed: ClassVar[str]

    async def remove(self, request: Request) -> None:
        await self.call(request, self.deletion, AlarmNames=[request.id])

    async def describe(self, request: Request) -> Properties | None:
        params = {"AlarmNames": [request.id], "AlarmTypes": [self.listed]}
        found = (await self.call(request, "DescribeAlarms", **params))[f"{self.listed}s"]
        return in_schema(self.name, found[0]) if found else None


class CloudWatchAlarm(AlarmType):
    """An alarm on a metric or on metric math."""

    name = "AWS::CloudWatch::Alarm"
    creation = "PutMetricAlarm"
    listed = "MetricAlarm"
    unsupported = frozenset(
        {
            "ActionConfiguration",
            "EvaluationCriteria",
            "EvaluationInterval",
            "EvaluationWindow",
            "ThresholdMetricId",
            "WarmUpConfiguration",
        }
    )


class CompositeAlarm(AlarmType):
    """An alarm on the states of other alarms."""

    name = "AWS::CloudWatch::CompositeAlarm"
    creation = "PutCompositeAlarm"
    listed = "CompositeAlarm"
    unsupported = frozenset({"ActionConfiguration"})


class CloudWatchDashboard(CloudWatchType):
    """A dashboard, which has no attributes."""

    name = "AWS::CloudWatch::Dashboard"
    creation, deletion = "PutDashboard", "DeleteDashboards"
    naming = "DashboardName"

    def arn(self, request: Request, name: str) -> str:
        return f"arn:{partition(request.region)}:cloudwatch::{request.account}:dashboard/{name}"

    async def make(self, request: Request) -> Resource:
        return Resource((await super().make(request)).id)

    async def remove(self, request: Request) -> None:
        await self.call(request, self.deletion, DashboardNames=[request.id])

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "GetDashboard", **self.identity(request))
        return in_schema(self.name, answer)


TYPES = (CloudWatchAlarm(), CompositeAlarm(), CloudWatchDashboard())
