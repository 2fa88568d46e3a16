"""What the hosts of a network get by DHCP: their domain, name servers and time servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources import shapes
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_KEYS = {
    "DomainName": "domain-name",
    "DomainNameServers": "domain-name-servers",
    "NetbiosNameServers": "netbios-name-servers",
    "NetbiosNodeType": "netbios-node-type",
    "NtpServers": "ntp-servers",
}
"""EC2's keys of the options."""
_SINGLE = frozenset({"DomainName", "NetbiosNodeType"})
_DEFAULT = "default"
"""The options of a network that has no others."""


class DhcpOptions(Ec2Type):
    """A set of options."""

    name = "AWS::EC2::DHCPOptions"
    creation, deletion = "CreateDhcpOptions", "DeleteDhcpOptions"
    describing, id_parameter = ("DescribeDhcpOptions", "DhcpOptions"), "DhcpOptionsId"
    tagged_as = "dhcp-options"
    made_with = frozenset(_KEYS)
    unsupported = frozenset({"Ipv6AddressPreferredLeaseTime"})

    async def make(self, request: Request) -> Resource:
        configurations = [
            {"Key": key, "Values": _values(request.properties[name])}
            for name, key in _KEYS.items()
            if name in request.properties
        ]
        params = {**self.given(request), "DhcpConfigurations": configurations}
        options = (await self.call(request, self.creation, **params))["DhcpOptions"]["DhcpOptionsId"]
        return Resource(options, {"DhcpOptionsId": options})

    async def describe(self, request: Request) -> Properties | None:
        if (options := await self.described(request)) is None:
            return None
        found = {
            each["Key"]: [value["Value"] for value in each["Values"]]
            for each in options["DhcpConfigurations"]
        }
        shown: Properties = {name: found[key] for name, key in _KEYS.items() if key in found}
        for name in _SINGLE & shown.keys():
            shown[name] = shown[name][0]
        return shown


class VpcDhcpOptionsAssociation(Ec2Type):
    """The options that a network uses."""

    name = "AWS::EC2::VPCDHCPOptionsAssociation"
    creation, deletion = "AssociateDhcpOptions", "AssociateDhcpOptions"

    def identity(self, request: Request) -> dict[str, Any]:
        return {"DhcpOptionsId": _DEFAULT, "VpcId": request.properties["VpcId"]}

    async def make(self, request: Request) -> Resource:
        await self.call(request, self.creation, **self.given(request))
        return Resource("{DhcpOptionsId}|{VpcId}".format_map(request.properties))

    async def describe(self, request: Request) -> Properties | None:
        answer = await self.call(request, "DescribeVpcs", VpcIds=[request.properties["VpcId"]])
        options = answer["Vpcs"][0]["DhcpOptionsId"]
        return (
            None if options == _DEFAULT else {"DhcpOptionsId": options, "VpcId": request.properties["VpcId"]}
        )


def _values(value: Any) -> list[str]:
    return [shapes.as_text(each) for each in (value if isinstance(value, list) else [value])]


TYPES = (DhcpOptions(), VpcDhcpOptionsAssociation())
