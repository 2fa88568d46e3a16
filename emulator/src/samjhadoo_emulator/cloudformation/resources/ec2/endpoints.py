"""Endpoints by which a network reaches AWS's services without the internet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_KINDS = ("Gateway", "Interface")
_MEMBERS = ("RouteTableIds", "SubnetIds", "SecurityGroupIds")


class VpcEndpoint(Ec2Type):
    """A gateway or interface endpoint of a network."""

    name = "AWS::EC2::VPCEndpoint"
    creation, deletion = "CreateVpcEndpoint", "DeleteVpcEndpoints"
    describing = ("DescribeVpcEndpoints", "VpcEndpoints")
    id_parameter, tagged_as = "VpcEndpointId", "vpc-endpoint"
    unsupported = frozenset(
        {"DnsOptions", "IpAddressType", "ResourceConfigurationArn", "ServiceNetworkArn", "ServiceRegion"}
    )
    fixed = frozenset({"PrivateDnsEnabled"})

    def check(self, properties: Properties) -> None:
        super().check(properties)
        kind = properties.get("VpcEndpointType")
        if isinstance(kind, str) and kind not in _KINDS:
            raise not_implemented(f"The emulator does not support VpcEndpointType {kind} of {self.name}.")

    async def make(self, request: Request) -> Resource:
        params = {"VpcEndpointType": "Gateway", **self.given(request)}
        params.setdefault("PrivateDnsEnabled", False)
        endpoint = (await self.call(request, self.creation, **params))["VpcEndpoint"]
        entries = [f"{each['HostedZoneId']}:{each['DnsName']}" for each in endpoint.get("DnsEntries", ())]
        return Resource(
            endpoint["VpcEndpointId"],
            {
                "Id": endpoint["VpcEndpointId"],
                "CreationTimestamp": f"{endpoint['CreationTimestamp']:%Y-%m-%dT%H:%M:%SZ}",
                "DnsEntries": entries,
                "NetworkInterfaceIds": endpoint.get("NetworkInterfaceIds", []),
            },
        )

    @puts(*_MEMBERS, "PolicyDocument")
    async def put_members(self, request: Request) -> None:
        params = self.given(request)
        changes = {"PolicyDocument": params["PolicyDocument"]} if "PolicyDocument" in params else {}
        if "PolicyDocument" in request.previous and not changes:
            changes["ResetPolicy"] = True
        for name in _MEMBERS:
            before = request.previous.get(name) or []
            after = request.properties.get(name) or []
            changes[f"Add{name}"] = [each for each in after if each not in before]
            changes[f"Remove{name}"] = [each for each in before if each not in after]
        given = {name: value for name, value in changes.items() if value}
        await self.call(request, "ModifyVpcEndpoint", VpcEndpointId=request.id, **given)

    async def remove(self, request: Request) -> None:
        await self.call(request, self.deletion, VpcEndpointIds=[request.id])

    async def describe(self, request: Request) -> Properties | None:
        endpoint = await self.described(request)
        if endpoint is None or endpoint["State"].lower() in ("deleting", "deleted"):
            return None
        groups = [each["GroupId"] for each in endpoint.get("Groups", ())]
        return {**endpoint, "SecurityGroupIds": groups}


TYPES = (VpcEndpoint(),)
