"""Amazon DynamoDB: tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    is_gone,
    puts,
    removed_tags,
    tag_list,
    tags,
)
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Table(ApiType):
    """A table with its indexes."""

    name = "AWS::DynamoDB::Table"
    service, creation, modification, deletion = "dynamodb", "CreateTable", "UpdateTable", "DeleteTable"
    fixed = frozenset(
        {"AttributeDefinitions", "GlobalSecondaryIndexes", "KeySchema", "LocalSecondaryIndexes"}
    )
    unsupported = frozenset(
        {
            "ContributorInsightsSpecification",
            "ImportSourceSpecification",
            "KinesisStreamSpecification",
            "OnDemandThroughput",
            "ResourcePolicy",
            "VectorIndexes",
            "WarmThroughput",
        }
    )

    def identity(self, request: Request) -> dict[str, Any]:
        return {"TableName": request.id}

    def given(self, request: Request) -> dict[str, Any]:
        properties = _as_parameters(request.properties)
        params = shapes.parameters(self.service, self.creation, properties)
        params.setdefault("TableName", request.generated_name())
        if found := tags(request):
            params["Tags"] = tag_list(found)
        return params

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["TableDescription"]
        return Resource(made["TableName"], _attributes(made))

    async def settle(self, request: Request) -> Resource:
        table = await wait_until(request, lambda: self._active(request))
        return Resource(request.id, _attributes(table))

    async def _active(self, request: Request) -> Properties | None:
        table = await self._described(request)
        return table if table["TableStatus"] == "ACTIVE" else None

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        values = {
            name: value for name, value in request.properties.items() if name in changed and name != "Tags"
        }
        params = shapes.parameters(self.service, self.modification, _as_parameters(values))
        if "StreamSpecification" in changed - values.keys():
            params["StreamSpecification"] = {"StreamEnabled": False}
        return params

    @puts("TimeToLiveSpecification")
    async def put_time_to_live(self, request: Request) -> None:
        wanted = request.properties.get("TimeToLiveSpecification")
        before = request.previous.get("TimeToLiveSpecification") or {}
        value = wanted or {**before, "Enabled": False}
        await self.call(request, "UpdateTimeToLive", TableName=request.id, TimeToLiveSpecification=value)

    @puts("PointInTimeRecoverySpecification")
    async def put_recovery(self, request: Request) -> None:
        wanted = request.properties.get("PointInTimeRecoverySpecification")
        value = wanted or {"PointInTimeRecoveryEnabled": False}
        await self.call(
            request,
            "UpdateContinuousBackups",
            TableName=request.id,
            PointInTimeRecoverySpecification=value,
        )

    async def put_tags(self, request: Request) -> None:
        named = {"ResourceArn": request.attributes["Arn"]}
        if removed := removed_tags(request):
            await self.call(request, "UntagResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "TagResource", **named, Tags=tag_list(found))

    async def remove(self, request: Request) -> None:
        await super().remove(request)
        await wait_until(request, lambda: self._gone(request))

    async def _gone(self, request: Request) -> bool | None:
        try:
            await self._described(request)
        except AwsError as error:
            if is_gone(error):
                return True
            raise
        return None

    async def _described(self, request: Request) -> Properties:
        table: Properties = (await self.call(request, "DescribeTable", TableName=request.id))["Table"]
        return table

    async def describe(self, request: Request) -> Properties | None:
        table = await self._described(request)
        stream = table.get("StreamSpecification")
        return {
            **table,
            "BillingMode": table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
            "StreamSpecification": stream and {"StreamViewType": stream.get("StreamViewType")},
        }


def _as_parameters(properties: Properties) -> Properties:
    """Return properties with those renamed that DynamoDB's API calls something else."""
    found = dict(properties)
    if stream := found.get("StreamSpecification"):
        found["StreamSpecification"] = {"StreamEnabled": True, **stream}
    if encryption := found.get("SSESpecification"):
        names = {"SSEEnabled": "Enabled"}
        found["SSESpecification"] = {names.get(name, name): value for name, value in encryption.items()}
    return found


def _attributes(table: Properties) -> dict[str, Any]:
    stream = {"StreamArn": table["LatestStreamArn"]} if table.get("LatestStreamArn") else {}
    return {"Arn": table["TableArn"], **stream}


TYPES = (Table(),)
