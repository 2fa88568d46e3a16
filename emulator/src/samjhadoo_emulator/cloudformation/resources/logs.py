"""Amazon CloudWatch Logs: log groups and streams, and filters of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.arns import Home
from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    puts,
    removed_tags,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class LogsType(ApiType):
    """A resource type of CloudWatch Logs."""

    service = "logs"

    async def one(self, request: Request, operation: str, member: str, named: str, **params: Any) -> Any:
        """Return the one thing with an exact name among those that a describing operation lists by prefix."""
        answer = await self.call(request, operation, **params)
        name = next(value for key, value in params.items() if key.endswith("NamePrefix"))
        return next((each for each in answer[member] if each[named] == name), None)


class LogGroup(LogsType):
    """A log group."""

    name = "AWS::Logs::LogGroup"
    creation, deletion = "CreateLogGroup", "DeleteLogGroup"
    unsupported = frozenset(
        {
            "BearerTokenAuthenticationEnabled",
            "DataProtectionPolicy",
            "DeletionProtectionEnabled",
            "FieldIndexPolicies",
            "ResourcePolicyDocument",
        }
    )
    fixed = frozenset({"LogGroupClass"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"logGroupName": request.id}

    async def make(self, request: Request) -> Resource:
        params = {"logGroupName": request.generated_name(), **self.given(request)}
        await self.call(request, self.creation, **params)
        name = params["logGroupName"]
        arn = f"{Home('logs', request.region, request.account).prefix}log-group:{name}:*"
        return Resource(name, {"Arn": arn})

    @puts("RetentionInDays")
    async def put_retention(self, request: Request) -> None:
        if days := request.properties.get("RetentionInDays"):
            params = {"logGroupName": request.id, "retentionInDays": int(days)}
            await self.call(request, "PutRetentionPolicy", **params)
        else:
            await self.call(request, "DeleteRetentionPolicy", logGroupName=request.id)

    @puts("KmsKeyId")
    async def put_key(self, request: Request) -> None:
        if key := request.properties.get("KmsKeyId"):
            await self.call(request, "AssociateKmsKey", logGroupName=request.id, kmsKeyId=key)
        else:
            await self.call(request, "DisassociateKmsKey", logGroupName=request.id)

    async def put_tags(self, request: Request) -> None:
        named = {"resourceArn": request.attributes["Arn"].removesuffix(":*")}
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", **named, tagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", **named, tags=found)

    async def describe(self, request: Request) -> Properties | None:
        named = {"logGroupNamePrefix": request.id}
        group = await self.one(request, "DescribeLogGroups", "logGroups", "logGroupName", **named)
        if group is None:
            return None
        return {"KmsKeyId": None, "RetentionInDays": None, **shapes.as_properties(group)}


class LogGroupStream(LogsType):
    """A log stream of a group."""

    name = "AWS::Logs::LogStream"
    creation, deletion = "CreateLogStream", "DeleteLogStream"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"logGroupName": request.properties["LogGroupName"], "logStreamName": request.id}

    async def make(self, request: Request) -> Resource:
        params = {"logStreamName": request.generated_name(), **self.given(request)}
        await self.call(request, self.creation, **params)
        return Resource(params["logStreamName"])

    async def describe(self, request: Request) -> Properties | None:
        group = request.properties["LogGroupName"]
        named = {"logGroupName": group, "logStreamNamePrefix": request.id}
        stream = await self.one(request, "DescribeLogStreams", "logStreams", "logStreamName", **named)
        return stream and {"LogGroupName": group, **shapes.as_properties(stream)}


class LogFilter(LogsType):
    """A filter of a group's lines: one operation makes it and changes it.

    Attributes:
        describing: The operation that describes such filters, and the list in its answer.
    """

    describing: ClassVar[tuple[str, str]]

    def identity(self, request: Request) -> dict[str, Any]:
        return {"logGroupName": request.properties["LogGroupName"], "filterName": request.id}

    async def make(self, request: Request) -> Resource:
        params = {"filterName": request.generated_name(), **self.given(request)}
        await self.call(request, self.creation, **params)
        return Resource(params["filterName"])

    async def put(self, request: Request) -> None:
        """Put the whole filter again."""
        await self.call(request, self.creation, **{**self.given(request), **self.identity(request)})

    async def describe(self, request: Request) -> Properties | None:
        operation, member = self.describing
        named = {"logGroupName": request.properties["LogGroupName"], "filterNamePrefix": request.id}
        found = await self.one(request, operation, member, "filterName", **named)
        return None if found is None else shapes.as_properties(found)


class MetricFilter(LogFilter):
    """A filter that counts lines as a metric."""

    name = "AWS::Logs::MetricFilter"
    creation, deletion = "PutMetricFilter", "DeleteMetricFilter"
    describing = ("DescribeMetricFilters", "metricFilters")

    @puts(
        "ApplyOnTransformedLogs",
        "EmitSystemFieldDimensions",
        "FieldSelectionCriteria",
        "FilterPattern",
        "MetricTransformations",
    )
    async def put_filter(self, request: Request) -> None:
        await self.put(request)

    def given(self, request: Request) -> dict[str, Any]:
        params = super().given(request)
        for each, own in zip(
            params["metricTransformations"], request.properties["MetricTransformations"], strict=True
        ):
            if dimensions := own.get("Dimensions"):
                each["dimensions"] = {one["Key"]: one["Value"] for one in dimensions}
        return params

    async def describe(self, request: Request) -> Properties | None:
        if (found := await super().describe(request)) is None:
            return None
        for each in found["MetricTransformations"]:
            if dimensions := each.get("Dimensions"):
                each["Dimensions"] = [{"Key": key, "Value": value} for key, value in dimensions.items()]
        return found


class SubscriptionFilter(LogFilter):
    """A filter that sends lines somewhere."""

    name = "AWS::Logs::SubscriptionFilter"
    creation, deletion = "PutSubscriptionFilter", "DeleteSubscriptionFilter"
    describing = ("DescribeSubscriptionFilters", "subscriptionFilters")

    @puts(
        "ApplyOnTransformedLogs",
        "DestinationArn",
        "Distribution",
        "EmitSystemFields",
        "FieldSelectionCriteria",
        "FilterPattern",
        "RoleArn",
    )
    async def put_filter(self, request: Request) -> None:
        await self.put(request)


class LogsResourcePolicy(LogsType):
    """Which of AWS's services may write to log groups."""

    name = "AWS::Logs::ResourcePolicy"
    creation, deletion = "PutResourcePolicy", "DeleteResourcePolicy"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"policyName": request.id}

    async def make(self, request: Request) -> Resource:
        await self.put_document(request)
        return Resource(request.properties["PolicyName"])

    @puts("PolicyDocument")
    async def put_document(self, request: Request) -> None:
        await self.call(request, self.creation, **self.given(request))

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeResourcePolicies")
        for policy in answer["resourcePolicies"]:
            if policy["policyName"] == request.id:
                wanted = request.properties["PolicyDocument"]
                document = policy["policyDocument"]
                shown = document if isinstance(wanted, str) else shapes.from_text(document)
                return {"PolicyName": request.id, "PolicyDocument": shown}
        return None


TYPES = (LogGroup(), LogGroupStream(), MetricFilter(), SubscriptionFilter(), LogsResourcePolicy())
