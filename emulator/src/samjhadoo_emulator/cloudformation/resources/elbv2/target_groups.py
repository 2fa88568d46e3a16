"""Target groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import paths, shapes
from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.elbv2.elbv2_type import LONGEST_NAME, Elbv2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Elbv2TargetGroup(Elbv2Type):
    """A target group of addresses or instances; `Ref` is its ARN."""

    name = "AWS::ElasticLoadBalancingV2::TargetGroup"
    creation, modification, deletion = "CreateTargetGroup", "ModifyTargetGroup", "DeleteTargetGroup"
    arn_parameter = "TargetGroupArn"
    attributes_property = "TargetGroupAttributes"
    served: ClassVar = {
        "TargetType": frozenset({"instance", "ip"}),
        "Protocol": frozenset({"HTTP", "HTTPS"}),
        "ProtocolVersion": frozenset({"HTTP1", "HTTP2"}),
        "HealthCheckProtocol": frozenset({"HTTP", "HTTPS"}),
    }
    unsupported = frozenset({"TargetControlPort"})
    defaults: ClassVar = {
        "HealthCheckEnabled": True,
        "HealthCheckIntervalSeconds": 30,
        "HealthCheckPath": "/",
        "HealthCheckPort": "traffic-port",
        "HealthCheckTimeoutSeconds": 5,
        "HealthyThresholdCount": 5,
        "Matcher": {"HttpCode": "200"},
        "UnhealthyThresholdCount": 2,
    }

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for path in ("Matcher.GrpcCode", "Targets.*.QuicServerId"):
            for _ in paths.values(properties, path):
                name = path.replace(".*", "")
                raise not_implemented(f"The emulator does not support {name} of {self.name}.")

    async def make(self, request: Request) -> Resource:
        await self.check_name(request, "DescribeTargetGroups")
        params = {"Name": request.generated_name(longest=LONGEST_NAME), **self.given(request)}
        made = (await self.call(request, self.creation, **params))["TargetGroups"][0]
        return _resource(made)

    def modified(self, request: Request, changed: set[str]) -> dict[str, Any]:
        """Return what changes; the protocol of health checks is the group's again if it is not given."""
        params = super().modified(request, changed)
        if "HealthCheckProtocol" in changed:
            own = request.properties.get("Protocol", "HTTP")
            params["HealthCheckProtocol"] = request.properties.get("HealthCheckProtocol", own)
        return params

    @puts("TargetGroupAttributes")
    async def put_own_attributes(self, request: Request) -> None:
        await self.put_attributes(request)

    @puts("Targets")
    async def put_targets(self, request: Request) -> None:
        wanted, before = (_described(each) for each in (request.properties, request.previous))
        if added := [each for each in wanted if each not in before]:
            await self.call(request, "RegisterTargets", **self.identity(request), Targets=added)
        if removed := [each for each in before if each not in wanted]:
            await self.call(request, "DeregisterTargets", **self.identity(request), Targets=removed)

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeTargetGroups", TargetGroupArns=[request.id])
        found = answer["TargetGroups"][0]
        shown = in_schema(self.name, found)
        shown |= {"Name": found["TargetGroupName"], **await self.attributes_of(request)}
        if wanted := request.properties.get("Targets"):
            shown["Targets"] = await self._targets(request, wanted)
        return shown

    async def _targets(self, request: Request, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return those of the template's targets that are registered: others may come from ECS."""
        answer = await self.call(request, "DescribeTargetHealth", **self.identity(request))
        ids = {each["Target"]["Id"] for each in answer["TargetHealthDescriptions"]}
        return [each for each in wanted if each["Id"] in ids]


def _described(properties: Properties) -> list[dict[str, Any]]:
    """Return the targets in properties as the API takes them."""
    targets = {"Targets": properties.get("Targets") or []}
    described: list[dict[str, Any]] = shapes.parameters("elbv2", "RegisterTargets", targets)["Targets"]
    return described


def _resource(found: dict[str, Any]) -> Resource:
    arn = found["TargetGroupArn"]
    attributes = {
        "TargetGroupArn": arn,
        "TargetGroupName": found["TargetGroupName"],
        "TargetGroupFullName": arn.rpartition(":")[2],
        "LoadBalancerArns": found["LoadBalancerArns"],
    }
    return Resource(arn, attributes)


TYPES = (Elbv2TargetGroup(),)
