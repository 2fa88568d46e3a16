"""Virtual private clouds, their subnets and internet gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Vpc(Ec2Type):
    """A virtual private cloud."""

    name = "AWS::EC2::VPC"
    creation, deletion = "CreateVpc", "DeleteVpc"
    describing, id_parameter, tagged_as = ("DescribeVpcs", "Vpcs"), "VpcId", "vpc"
    unsupported = frozenset({"Ipv4IpamPoolId", "Ipv4NetmaskLength", "VpcEncryptionControl"})

    async def make(self, request: Request) -> Resource:
        vpc = (await self.call(request, self.creation, **self.given(request)))["Vpc"]
        request.created(Resource(vpc["VpcId"], {"VpcId": vpc["VpcId"]}))
        of_vpc = {"Name": "vpc-id", "Values": [vpc["VpcId"]]}
        groups = await self.call(
            request,
            "DescribeSecurityGroups",
            Filters=[of_vpc, {"Name": "group-name", "Values": ["default"]}],
        )
        acls = await self.call(
            request, "DescribeNetworkAcls", Filters=[of_vpc, {"Name": "default", "Values": ["true"]}]
        )
        return Resource(
            vpc["VpcId"],
            {
                "VpcId": vpc["VpcId"],
                "CidrBlock": vpc["CidrBlock"],
                "CidrBlockAssociations": [
                    each["AssociationId"] for each in vpc.get("CidrBlockAssociationSet", ())
                ],
                "Ipv6CidrBlocks": [],
                "DefaultSecurityGroup": groups["SecurityGroups"][0]["GroupId"],
                "DefaultNetworkAcl": acls["NetworkAcls"][0]["NetworkAclId"],
            },
        )

    @puts("EnableDnsSupport")
    async def put_dns_support(self, request: Request) -> None:
        await self._put(request, "EnableDnsSupport", default=True)

    @puts("EnableDnsHostnames")
    async def put_dns_hostnames(self, request: Request) -> None:
        await self._put(request, "EnableDnsHostnames", default=False)

    @puts("InstanceTenancy")
    async def put_tenancy(self, request: Request) -> None:
        """Make a dedicated network one with default tenancy: the only change that is not a replacement."""
        tenancy = request.properties.get("InstanceTenancy", "default")
        await self.call(request, "ModifyVpcTenancy", VpcId=request.id, InstanceTenancy=tenancy)

    async def _put(self, request: Request, attribute: str, *, default: bool) -> None:
        value = {"Value": request.properties.get(attribute, default)}
        await self.call(request, "ModifyVpcAttribute", VpcId=request.id, **{attribute: value})

    async def describe(self, request: Request) -> Properties | None:
        if (vpc := await self.described(request)) is None:
            return None
        for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
            answer = await self.call(
                request,
                "DescribeVpcAttribute",
                VpcId=request.id,
                Attribute=attribute[0].lower() + attribute[1:],
            )
            vpc[attribute] = answer[attribute]["Value"]
        return vpc


class VpcCidrBlock(Ec2Type):
    """A further range of addresses of a network."""

    name = "AWS::EC2::VPCCidrBlock"
    creation, deletion, id_parameter = (
        "AssociateVpcCidrBlock",
        "DisassociateVpcCidrBlock",
        "AssociationId",
    )
    unsupported = frozenset(
        {
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6CidrBlock",
            "Ipv6CidrBlockNetworkBorderGroup",
            "Ipv6IpamPoolId",
            "Ipv6NetmaskLength",
            "Ipv6Pool",
        }
    )

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        made = answer.get("CidrBlockAssociation") or answer["Ipv6CidrBlockAssociation"]
        return Resource(made["AssociationId"], {"Id": made["AssociationId"]})

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeVpcs", VpcIds=[request.properties["VpcId"]])
        vpc = answer["Vpcs"][0]
        for each in vpc.get("CidrBlockAssociationSet", ()):
            if each["AssociationId"] == request.id and each["CidrBlockState"]["State"] != "disassociated":
                return {"VpcId": vpc["VpcId"], "CidrBlock": each["CidrBlock"]}
        for each in vpc.get("Ipv6CidrBlockAssociationSet", ()):
            if each["AssociationId"] == request.id:
                return {"VpcId": vpc["VpcId"], "AmazonProvidedIpv6CidrBlock": True}
        return None


class Subnet(Ec2Type):
    """A subnet of a network, in one availability zone."""

    name = "AWS::EC2::Subnet"
    creation, deletion = "CreateSubnet", "DeleteSubnet"
    describing, id_parameter, tagged_as = ("DescribeSubnets", "Subnets"), "SubnetId", "subnet"
    unsupported = frozenset(
        {
            "EnableDns64",
            "EnableLniAtDeviceIndex",
            "Ipv4IpamPoolId",
            "Ipv4NetmaskLength",
            "Ipv6IpamPoolId",
            "Ipv6NetmaskLength",
            "OutpostArn",
            "PrivateDnsNameOptionsOnLaunch",
        }
    )
    fixed = frozenset({"Ipv6CidrBlock"})

    async def make(self, request: Request) -> Resource:
        subnet = (await self.call(request, self.creation, **self.given(request)))["Subnet"]
        associations = subnet.get("Ipv6CidrBlockAssociationSet", ())
        shown = ("SubnetId", "VpcId", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock")
        attributes = {name: subnet.get(name, "") for name in shown}
        attributes["Ipv6CidrBlocks"] = [each["Ipv6CidrBlock"] for each in associations]
        return Resource(subnet["SubnetId"], attributes)

    @puts("MapPublicIpOnLaunch")
    async def put_public_addresses(self, request: Request) -> None:
        await self._put(request, "MapPublicIpOnLaunch")

    @puts("AssignIpv6AddressOnCreation")
    async def put_ipv6_addresses(self, request: Request) -> None:
        await self._put(request, "AssignIpv6AddressOnCreation")

    async def _put(self, request: Request, attribute: str) -> None:
        value = {"Value": request.properties.get(attribute, False)}
        await self.call(request, "ModifySubnetAttribute", SubnetId=request.id, **{attribute: value})


class InternetGateway(Ec2Type):
    """A gateway between a network and the internet."""

    name = "AWS::EC2::InternetGateway"
    creation, deletion = "CreateInternetGateway", "DeleteInternetGateway"
    describing = ("DescribeInternetGateways", "InternetGateways")
    id_parameter, tagged_as = "InternetGatewayId", "internet-gateway"

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        gateway = answer["InternetGateway"]["InternetGatewayId"]
        return Resource(gateway, {"InternetGatewayId": gateway})


class VpcGatewayAttachment(Ec2Type):
    """The attachment of an internet gateway to a network."""

    name = "AWS::EC2::VPCGatewayAttachment"
    creation, deletion = "AttachInternetGateway", "DetachInternetGateway"
    unsupported = frozenset({"VpnGatewayId"})

    def identity(self, request: Request) -> dict[str, Any]:
        properties = request.properties
        return {"InternetGatewayId": properties["InternetGatewayId"], "VpcId": properties["VpcId"]}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        return Resource(f"IGW|{request.properties['VpcId']}", {"AttachmentType": "IGW"})

    @puts("InternetGatewayId")
    async def put_gateway(self, request: Request) -> None:
        """Attach another gateway in place of the one before."""
        await self.call_if_there(
            request,
            self.deletion,
            InternetGatewayId=request.previous["InternetGatewayId"],
            VpcId=request.properties["VpcId"],
        )
        await self.call(request, self.creation, **self.identity(request))

    async def describe(self, request: Request) -> Properties | None:
        gateway = request.properties["InternetGatewayId"]
        answer = await self.call(request, "DescribeInternetGateways", InternetGatewayIds=[gateway])
        attached = {each["VpcId"] for each in answer["InternetGateways"][0]["Attachments"]}
        return self.identity(request) if request.properties["VpcId"] in attached else None


TYPES = (Vpc(), VpcCidrBlock(), Subnet(), InternetGateway(), VpcGatewayAttachment())
