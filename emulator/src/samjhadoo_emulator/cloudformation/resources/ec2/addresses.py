"""Elastic IP addresses, and the NAT gateways that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Eip(Ec2Type):
    """An elastic IP address; `Ref` is the address itself."""

    name = "AWS::EC2::EIP"
    creation, deletion, tagged_as = "AllocateAddress", "ReleaseAddress", "elastic-ip"
    unsupported = frozenset(
        {"Address", "IpamPoolId", "NetworkBorderGroup", "PublicIpv4Pool", "TransferAddress"}
    )
    fixed = frozenset({"Domain"})

    def identity(self, request: Request) -> dict[str, Any]:
        return {"AllocationId": request.attributes["AllocationId"]}

    def tagged_id(self, request: Request) -> str:
        return str(request.attributes["AllocationId"])

    async def make(self, request: Request) -> Resource:
        made = await self.call(request, self.creation, **{"Domain": "vpc", **self.given(request)})
        attributes = {"AllocationId": made["AllocationId"], "PublicIp": made["PublicIp"]}
        return Resource(made["PublicIp"], attributes)

    @puts("InstanceId")
    async def put_instance(self, request: Request) -> None:
        if request.previous.get("InstanceId"):
            address = await self.describe(request)
            if address and address.get("AssociationId"):
                await self.call(request, "DisassociateAddress", AssociationId=address["AssociationId"])
        if instance := request.properties.get("InstanceId"):
            await self.call(request, "AssociateAddress", InstanceId=instance, **self.identity(request))

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(
            request, "DescribeAddresses", AllocationIds=[request.attributes["AllocationId"]]
        )
        return next(iter(answer["Addresses"]), None)


class NatGateway(Ec2Type):
    """A gateway by which a private subnet reaches the internet."""

    name = "AWS::EC2::NatGateway"
    creation, deletion = "CreateNatGateway", "DeleteNatGateway"
    describing = ("DescribeNatGateways", "NatGateways")
    id_parameter, tagged_as = "NatGatewayId", "natgateway"
    unsupported = frozenset(
        {
            "AvailabilityMode",
            "AvailabilityZoneAddresses",
            "MaxDrainDurationSeconds",
            "PrivateIpAddress",
            "SecondaryAllocationIds",
            "SecondaryPrivateIpAddressCount",
            "SecondaryPrivateIpAddresses",
            "VpcId",
        }
    )

    async def make(self, request: Request) -> Resource:
        made = (await self.call(request, self.creation, **self.given(request)))["NatGateway"]
        return Resource(made["NatGatewayId"], {"NatGatewayId": made["NatGatewayId"]})

    async def settle(self, request: Request) -> Resource:
        gateway = await wait_until(request, lambda: self._available(request))
        addresses = gateway.get("NatGatewayAddresses") or [{}]
        interface = addresses[0].get("NetworkInterfaceId", "")
        return Resource(request.id, {**request.attributes, "EniId": interface})

    async def _available(self, request: Request) -> Properties | None:
        gateway = await self.described(request)
        if gateway is None or gateway["State"] == "failed":
            why = (gateway or {}).get("FailureMessage", "it is gone")
            raise AwsError("GeneralServiceException", f"NatGateway {request.id} is in state failed: {why}")
        return gateway if gateway["State"] == "available" else None

    async def remove(self, request: Request) -> None:
        await super().remove(request)
        await wait_until(request, lambda: self._deleted(request))

    async def _deleted(self, request: Request) -> bool | None:
        gateway = await self.described(request)
        return True if gateway is None or gateway["State"] == "deleted" else None

    async def describe(self, request: Request) -> Properties | None:
        gateway = await self.described(request)
        if gateway is None or gateway["State"] in ("deleting", "deleted"):
            return None
        addresses = gateway.get("NatGatewayAddresses") or [{}]
        return {**gateway, "AllocationId": addresses[0].get("AllocationId")}


TYPES = (Eip(), NatGateway())
