"""Amazon ElastiCache: replication groups, their subnet groups and parameter groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.arns import Home
from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.api_type import (
    ApiType,
    in_order,
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

LONGEST_GROUP = 40
LONGEST_NAME = 255
MOST_PARAMETERS = 20


class ElastiCacheType(ApiType):
    """A resource type of ElastiCache.

    Attributes:
        id_parameter: The parameter, and property, with the resource's name.
        arn_kind: What comes before the name in its ARN.
        describing: The operation that describes such resources, and the list in its answer.
        longest: Characters of the longest name.
    """

    service = "elasticache"
    id_parameter: ClassVar[str]
    arn_kind: ClassVar[str]
    describing: ClassVar[tuple[str, str]]
    longest: ClassVar[int] = LONGEST_NAME

    def identity(self, request: Request) -> dict[str, Any]:
        return {self.id_parameter: request.id}

    def given(self, request: Request) -> dict[str, Any]:
        name = request.generated_name(longest=self.longest, lower=True)
        return {self.id_parameter: name, **super().given(request)}

    async def make(self, request: Request) -> Resource:
        params = self.given(request)
        await self.call(request, self.creation, **params)
        return Resource(params[self.id_parameter].lower())

    async def put_tags(self, request: Request) -> None:
        home = Home("elasticache", request.region, request.account)
        named = {"ResourceName": f"{home.prefix}{self.arn_kind}:{request.id}"}
        if removed := removed_tags(request):
            await self.call(request, "RemoveTagsFromResource", **named, TagKeys=removed)
        if found := tags(request):
            await self.call(request, "AddTagsToResource", **named, Tags=tag_list(found))

    async def described(self, request: Request) -> Properties | None:
        """Return what ElastiCache says of the resource; None if it knows none."""
        operation, member = self.describing
        answer = await self.call(request, operation, **self.identity(request))
        return next(iter(answer[member]), None)

    async def describe(self, request: Request) -> Properties | None:
        return await self.described(request)


class SubnetGroup(ElastiCacheType):
    """The subnets that caches may be in."""

    name = "AWS::ElastiCache::SubnetGroup"
    creation, modification = "CreateCacheSubnetGroup", "ModifyCacheSubnetGroup"
    deletion, describing = "DeleteCacheSubnetGroup", ("DescribeCacheSubnetGroups", "CacheSubnetGroups")
    id_parameter, arn_kind = "CacheSubnetGroupName", "subnetgroup"
    renamed: ClassVar = {"Description": "CacheSubnetGroupDescription"}

    async def describe(self, request: Request) -> Properties | None:
        if (group := await self.described(request)) is None:
            return None
        found = [each["SubnetIdentifier"] for each in group["Subnets"]]
        subnets = in_order(found, request.properties["SubnetIds"])
        return {**group, "Description": group["CacheSubnetGroupDescription"], "SubnetIds": subnets}


class ParameterGroup(ElastiCacheType):
    """Parameters of a cache engine."""

    name = "AWS::ElastiCache::ParameterGroup"
    creation, deletion = "CreateCacheParameterGroup", "DeleteCacheParameterGroup"
    describing = ("DescribeCacheParameterGroups", "CacheParameterGroups")
    id_parameter, arn_kind = "CacheParameterGroupName", "parametergroup"
    fixed = frozenset({"Description"})

    @puts("Properties")
    async def put_parameters(self, request: Request) -> None:
        wanted, before = (each.get("Properties") or {} for each in (request.properties, request.previous))
        changed = [
            {"ParameterName": name, "ParameterValue": shapes.as_text(value)}
            for name, value in wanted.items()
            if before.get(name) != value
        ]
        for start in range(0, len(changed), MOST_PARAMETERS):
            part = changed[start : start + MOST_PARAMETERS]
            named = self.identity(request)
            await self.call(request, "ModifyCacheParameterGroup", **named, ParameterNameValues=part)
        if removed := sorted(before.keys() - wanted.keys()):
            reset = [{"ParameterName": name} for name in removed]
            named = self.identity(request)
            await self.call(request, "ResetCacheParameterGroup", **named, ParameterNameValues=reset)

    async def describe(self, request: Request) -> Properties | None:
        if (group := await self.described(request)) is None:
            return None
        answer = await self.call(request, "DescribeCacheParameters", **self.identity(request), Source="user")
        own = {each["ParameterName"]: each["ParameterValue"] for each in answer["Parameters"]}
        return {**group, "Properties": own}


class ReplicationGroup(ElastiCacheType):
    """A primary node and its replicas, or several such shards."""

    name = "AWS::ElastiCache::ReplicationGroup"
    creation, modification = "CreateReplicationGroup", "ModifyReplicationGroup"
    deletion, describing = "DeleteReplicationGroup", ("DescribeReplicationGroups", "ReplicationGroups")
    id_parameter, arn_kind, longest = "ReplicationGroupId", "replicationgroup", LONGEST_GROUP
    unsupported = frozenset({"Durability", "GlobalReplicationGroupId", "SnapshottingClusterId"})
    fixed = frozenset({"NodeGroupConfiguration", "NumNodeGroups", "UserGroupIds"})

    @puts("NumCacheClusters", "ReplicasPerNodeGroup")
    async def put_replicas(self, request: Request) -> None:
        wanted, before = _replicas(request.properties), _replicas(request.previous)
        if wanted is None or wanted == before:
            return
        verb = "Decrease" if before is not None and wanted < before else "Increase"
        params = {"NewReplicaCount": wanted, "ApplyImmediately": True}
        await self.call(request, f"{verb}ReplicaCount", **self.identity(request), **params)

    async def settle(self, request: Request) -> Resource:
        group = await wait_until(request, lambda: self._available(request))
        return Resource(request.id, _endpoints(group))

    async def _available(self, request: Request) -> Properties | None:
        group = await self.described(request)
        if group is None or group["Status"] == "create-failed":
            raise AwsError("NotStabilized", f"Replication group {request.id} is in state create-failed")
        return group if group["Status"] == "available" else None

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        params = super().modified(request, changed)
        if "AuthToken" in params:
            params["AuthTokenUpdateStrategy"] = "ROTATE"
        return {**params, "ApplyImmediately": True} if params else {}

    async def remove(self, request: Request) -> None:
        await self.call(request, self.deletion, **self.identity(request), **_final_snapshot(request))
        await wait_until(request, lambda: self._gone(request))

    async def _gone(self, request: Request) -> bool | None:
        try:
            return True if await self.described(request) is None else None
        except AwsError as error:
            if is_gone(error):
                return True
            raise

    async def describe(self, request: Request) -> Properties | None:
        group = await self.described(request)
        if group is None or group["Status"] == "deleting":
            return None
        return {
            **group,
            "ReplicationGroupDescription": group["Description"],
            "AutomaticFailoverEnabled": group.get("AutomaticFailover") == "enabled",
            "MultiAZEnabled": group.get("MultiAZ") == "enabled",
            "NumCacheClusters": len(group.get("MemberClusters", ())),
        }


def _replicas(properties: Properties) -> int | None:
    """Return how many replicas each shard has; None if the properties leave it to ElastiCache."""
    if nodes := properties.get("NumCacheClusters"):
        return int(nodes) - 1
    return int(properties["ReplicasPerNodeGroup"]) if "ReplicasPerNodeGroup" in properties else None


def _final_snapshot(request: Request) -> dict[str, Any]:
    name = request.generated_name(longest=LONGEST_GROUP, lower=True)
    return {"FinalSnapshotIdentifier": f"snapshot-{name}"} if request.snapshot else {}


def _endpoints(group: Properties) -> dict[str, Any]:
    """Return what `Fn::GetAtt` gives: addresses and ports as text."""
    nodes = group.get("NodeGroups") or [{}]
    found = {
        "ConfigurationEndPoint": group.get("ConfigurationEndpoint"),
        "PrimaryEndPoint": nodes[0].get("PrimaryEndpoint"),
        "ReaderEndPoint": nodes[0].get("ReaderEndpoint"),
    }
    attributes: dict[str, Any] = {}
    for name, endpoint in found.items():
        if endpoint:
            attributes[f"{name}.Address"] = endpoint["Address"]
            attributes[f"{name}.Port"] = shapes.as_text(endpoint["Port"])
    reads = [
        each["ReadEndpoint"] for each in nodes[0].get("NodeGroupMembers", ()) if each.get("ReadEndpoint")
    ]
    if reads:
        addresses, ports = [each["Address"] for each in reads], [str(each["Port"]) for each in reads]
        attributes |= {"ReadEndPoint.AddressesList": addresses, "ReadEndPoint.PortsList": ports}
        attributes["ReadEndPoint.Addresses"] = f"[{', '.join(addresses)}]"
        attributes["ReadEndPoint.Ports"] = f"[{', '.join(ports)}]"
    return attributes


TYPES = (SubnetGroup(), ParameterGroup(), ReplicationGroup())
