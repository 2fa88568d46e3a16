"""Network access control lists, their entries, and the subnets that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class NetworkAcl(Ec2Type):
    """A network access control list."""

    name = "AWS::EC2::NetworkAcl"
    creation, deletion = "CreateNetworkAcl", "DeleteNetworkAcl"
    describing = ("DescribeNetworkAcls", "NetworkAcls")
    id_parameter, tagged_as = "NetworkAclId", "network-acl"

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self.given(request))
        acl = answer["NetworkAcl"]["NetworkAclId"]
        return Resource(acl, {"Id": acl})


class NetworkAclEntry(Ec2Type):
    """An entry of a network access control list."""

    name = "AWS::EC2::NetworkAclEntry"
    creation, deletion = "CreateNetworkAclEntry", "DeleteNetworkAclEntry"
    made_with = frozenset({"Icmp"})

    def identity(self, request: Request) -> dict[str, Any]:
        properties = request.properties
        return {
            "NetworkAclId": properties["NetworkAclId"],
            "RuleNumber": properties["RuleNumber"],
            "Egress": properties.get("Egress", False),
        }

    def given(self, request: Request) -> dict[str, Any]:
        params = {"Egress": False, **super().given(request)}
        if icmp := request.properties.get("Icmp"):
            params["IcmpTypeCode"] = {"Code": icmp.get("Code", -1), "Type": icmp.get("Type", -1)}
        return params

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        named = self.identity(request)
        return Resource(f"{named['NetworkAclId']}|{named['Egress']}|{named['RuleNumber']}".lower())

    @puts("CidrBlock", "Icmp", "Ipv6CidrBlock", "PortRange", "Protocol", "RuleAction")
    async def replace(self, request: Request) -> None:
        await self.call(request, "ReplaceNetworkAclEntry", **self.given(request))

    async def describe(self, request: Request) -> Properties | None:
        named = self.identity(request)
        answer = await self.call(request, "DescribeNetworkAcls", NetworkAclIds=[named["NetworkAclId"]])
        for entry in answer["NetworkAcls"][0]["Entries"]:
            if (entry["RuleNumber"], entry["Egress"]) == (named["RuleNumber"], named["Egress"]):
                shown = {**named, **entry, "Protocol": int(entry["Protocol"])}
                return {**shown, "Icmp": entry["IcmpTypeCode"]} if "IcmpTypeCode" in entry else shown
        return None


class SubnetNetworkAclAssociation(Ec2Type):
    """The network access control list that a subnet uses in place of its network's default one."""

    name = "AWS::EC2::SubnetNetworkAclAssociation"
    creation, deletion = "ReplaceNetworkAclAssociation", "ReplaceNetworkAclAssociation"
    made_with = frozenset({"SubnetId"})

    async def make(self, request: Request) -> Resource:
        _, association = await self._of_subnet(request)
        made = await self._replace(request, association, request.properties["NetworkAclId"])
        return Resource(made, {"AssociationId": made})

    async def remove(self, request: Request) -> None:
        """Give the subnet its network's default list again."""
        acl, association = await self._of_subnet(request)
        if association != request.id:
            return
        filters = [
            {"Name": "vpc-id", "Values": [acl["VpcId"]]},
            {"Name": "default", "Values": ["true"]},
        ]
        answer = await self.call(request, "DescribeNetworkAcls", Filters=filters)
        await self._replace(request, association, answer["NetworkAcls"][0]["NetworkAclId"])

    async def describe(self, request: Request) -> Properties | None:
        acl, association = await self._of_subnet(request)
        if association != request.id:
            return None
        return {"NetworkAclId": acl["NetworkAclId"], "SubnetId": request.properties["SubnetId"]}

    async def _replace(self, request: Request, association: str, acl: str) -> str:
        answer = await self.call(request, self.creation, AssociationId=association, NetworkAclId=acl)
        return str(answer["NewAssociationId"])

    async def _of_subnet(self, request: Request) -> tuple[Properties, str]:
        """Return the list that the subnet uses, and the id of that association."""
        subnet = request.properties["SubnetId"]
        filters = [{"Name": "association.subnet-id", "Values": [subnet]}]
        answer = await self.call(request, "DescribeNetworkAcls", Filters=filters)
        for acl in answer["NetworkAcls"]:
            for each in acl["Associations"]:
                if each["SubnetId"] == subnet:
                    return acl, each["NetworkAclAssociationId"]
        raise AwsError("InvalidSubnetID.NotFound", f"The subnet ID '{subnet}' does not exist")


TYPES = (NetworkAcl(), NetworkAclEntry(), SubnetNetworkAclAssociation())
