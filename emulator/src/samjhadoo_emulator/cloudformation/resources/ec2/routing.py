"""Route tables, their routes, and the subnets that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
_TARGETS = (
    "EgressOnlyInternetGatewayId",
    "GatewayId",
    "InstanceId",
    "NatGatewayId",
    "NetworkInterfaceId",
    "TransitGatewayId",
    "VpcPeeringConnectionId",
)


class RouteTable(Ec2Type):
    """A route table of a network."""

    name = "AWS::EC2::RouteTable"
    creation, deletion = "CreateRouteTable", "DeleteRouteTable"
    describing = ("DescribeRouteTables", "RouteTables")
    id_parameter, tagged_as = "RouteTableId", "route-table"

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        table = answer["RouteTable"]["RouteTableId"]
        return Resource(table, {"RouteTableId": table})


class Ec2Route(Ec2Type):
    """A route of a route table."""

    name = "AWS::EC2::Route"
    creation, deletion = "CreateRoute", "DeleteRoute"
    unsupported = frozenset(
        {"CarrierGatewayId", "CoreNetworkArn", "LocalGatewayId", "OdbNetworkArn", "VpcEndpointId"}
    )

    def identity(self, request: Request) -> dict[str, Any]:
        named = {"RouteTableId", *_DESTINATIONS}
        return {name: value for name, value in request.properties.items() if name in named}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        destination = _destination(request.properties)
        return Resource(f"{request.properties['RouteTableId']}|{destination}", {"CidrBlock": destination})

    @puts(*_TARGETS)
    async def replace(self, request: Request) -> None:
        await self.call(request, "ReplaceRoute", **self.given(request))

    async def describe(self, request: Request) -> Properties | None:
        table = request.properties["RouteTableId"]
        answer = await self.call(request, "DescribeRouteTables", RouteTableIds=[table])
        for route in answer["RouteTables"][0]["Routes"]:
            if _destination(route) == _destination(request.properties):
                return {"RouteTableId": table, **route}
        return None


class SubnetRouteTableAssociation(Ec2Type):
    """The route table that a subnet uses."""

    name = "AWS::EC2::SubnetRouteTableAssociation"
    creation, deletion, id_parameter = "AssociateRouteTable", "DisassociateRouteTable", "AssociationId"

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        return Resource(answer["AssociationId"], {"Id": answer["AssociationId"]})

    async def describe(self, request: Request) -> Properties | None:
        table = request.properties["RouteTableId"]
        answer = await self.call(request, "DescribeRouteTables", RouteTableIds=[table])
        for each in answer["RouteTables"][0]["Associations"]:
            if each["RouteTableAssociationId"] == request.id:
                return {"RouteTableId": table, "SubnetId": each["SubnetId"]}
        return None


def _destination(properties: Properties) -> str:
    return next((str(properties[name]) for name in _DESTINATIONS if properties.get(name)), "")


TYPES = (RouteTable(), Ec2Route(), SubnetRouteTableAssociation())
