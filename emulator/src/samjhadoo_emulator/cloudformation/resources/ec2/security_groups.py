"""Security groups, and rules of them that are resources of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.ec2.ec2_type import Ec2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request

_ALL = "-1"
_PROTOCOLS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_EVERYWHERE = {"IpProtocol": _ALL, "CidrIp": "0.0.0.0/0"}
"""The rule that lets all traffic out: AWS gives it to every new group, until the template has others."""
INGRESS, EGRESS = "SecurityGroupIngress", "SecurityGroupEgress"


class SecurityGroup(Ec2Type):
    """A security group with rules of its own."""

    name = "AWS::EC2::SecurityGroup"
    creation, deletion = "CreateSecurityGroup", "DeleteSecurityGroup"
    describing = ("DescribeSecurityGroups", "SecurityGroups")
    id_parameter, tagged_as = "GroupId", "security-group"
    renamed: ClassVar = {"GroupDescription": "Description"}

    async def make(self, request: Request) -> Resource:
        named = {"GroupName": request.generated_name(), **self.given(request)}
        group = (await self.call(request, self.creation, **named))["GroupId"]
        attributes = {"GroupId": group, "Id": group, "VpcId": request.properties.get("VpcId", "")}
        return Resource(group, attributes)

    @puts(INGRESS)
    async def put_ingress(self, request: Request) -> None:
        await self._put(request, INGRESS)

    @puts(EGRESS)
    async def put_egress(self, request: Request) -> None:
        await self._put(request, EGRESS)

    async def _put(self, request: Request, direction: str) -> None:
        """Revoke the rules that are no more, then authorize the new ones.

        The group may have rules that are resources of their own: those stay.
        """
        unset = [_EVERYWHERE] if direction == EGRESS else []
        wanted = [permission(rule) for rule in request.properties.get(direction) or unset]
        own = [permission(rule) for rule in request.previous.get(direction) or unset]
        existing = await self._existing(request, direction) if request.previous else own
        if revoked := [rule for rule in existing if rule in own and rule not in wanted]:
            await self.call(request, f"Revoke{direction}", GroupId=request.id, IpPermissions=revoked)
        if added := [rule for rule in wanted if rule not in existing]:
            await self.call(request, f"Authorize{direction}", GroupId=request.id, IpPermissions=added)

    async def _existing(self, request: Request, direction: str) -> list[Properties]:
        """Return the rules that a group has: after an update that failed, they may be of any template."""
        group = await self.describe(request)
        return [permission(rule) for rule in group[direction]] if group else []

    async def describe(self, request: Request) -> Properties | None:
        if (group := await self.described(request)) is None:
            return None
        return {
            **group,
            "GroupDescription": group["Description"],
            INGRESS: rules(group["IpPermissions"], "Source"),
            EGRESS: rules(group["IpPermissionsEgress"], "Destination"),
        }


class SecurityGroupRule(Ec2Type):
    """A rule of a group that is a resource of its own.

    Attributes:
        describes: The operation that changes the description of such rules.
    """

    describing: ClassVar = ("DescribeSecurityGroupRules", "SecurityGroupRules")
    id_parameter = "SecurityGroupRuleId"
    describes: ClassVar[str]

    def identity(self, request: Request) -> dict[str, Any]:
        return {"GroupId": request.properties["GroupId"], "SecurityGroupRuleIds": [request.id]}

    async def make(self, request: Request) -> Resource:
        answer = await self.call(request, self.creation, **self._rule(request))
        rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        return Resource(rule, {"Id": rule})

    @puts("Description")
    async def put_description(self, request: Request) -> None:
        await self.call(request, self.describes, **self._rule(request))

    def _rule(self, request: Request) -> dict[str, Any]:
        rule = permission(request.properties)
        return {"GroupId": request.properties["GroupId"], "IpPermissions": [rule]}

    async def describe(self, request: Request) -> Properties | None:
        if (rule := await self.described(request)) is None:
            return None
        side = "Destination" if rule["IsEgress"] else "Source"
        referenced = rule.get("ReferencedGroupInfo", {}).get("GroupId")
        shown = {
            **rule,
            "CidrIp": rule.get("CidrIpv4"),
            f"{side}SecurityGroupId": referenced,
            f"{side}PrefixListId": rule.get("PrefixListId"),
        }
        return {name: value for name, value in shown.items() if value is not None}


class SecurityGroupIngress(SecurityGroupRule):
    """A rule that lets traffic in."""

    name = "AWS::EC2::SecurityGroupIngress"
    creation, deletion = "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"
    describes = "UpdateSecurityGroupRuleDescriptionsIngress"
    unsupported = frozenset({"GroupName"})
    made_with = frozenset(
        {
            "CidrIpv6",
            "Description",
            "SourcePrefixListId",
            "SourceSecurityGroupId",
            "SourceSecurityGroupName",
            "SourceSecurityGroupOwnerId",
        }
    )


class SecurityGroupEgress(SecurityGroupRule):
    """A rule that lets traffic out."""

    name = "AWS::EC2::SecurityGroupEgress"
    creation, deletion = "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"
    describes = "UpdateSecurityGroupRuleDescriptionsEgress"
    made_with = frozenset(
        {"CidrIpv6", "Description", "DestinationPrefixListId", "DestinationSecurityGroupId"}
    )


def permission(rule: Properties) -> Properties:
    """Return a rule of a template as EC2's IpPermission."""
    protocol = str(rule["IpProtocol"]).lower()
    found: Properties = {"IpProtocol": _PROTOCOLS.get(protocol, protocol)}
    if protocol != _ALL:
        found |= {name: int(rule[name]) for name in ("FromPort", "ToPort") if name in rule}
    described = {"Description": rule["Description"]} if "Description" in rule else {}
    for kind, member in (("CidrIp", "IpRanges"), ("CidrIpv6", "Ipv6Ranges")):
        if kind in rule:
            found[member] = [{kind: rule[kind], **described}]
    for side in ("Source", "Destination"):
        group = {
            parameter: rule[f"{side}SecurityGroup{name}"]
            for name, parameter in (("Id", "GroupId"), ("Name", "GroupName"), ("OwnerId", "UserId"))
            if f"{side}SecurityGroup{name}" in rule
        }
        if group:
            found["UserIdGroupPairs"] = [{**group, **described}]
        if prefixes := rule.get(f"{side}PrefixListId"):
            found["PrefixListIds"] = [{"PrefixListId": prefixes, **described}]
    return found


def rules(permissions: list[Properties], side: str) -> list[Properties]:
    """Return the rules of a group as the template writes them.

    Args:
        side: `Source` or `Destination`: what the names of other groups begin with.
    """
    return [
        {**_ports(each), **target}
        for each in permissions
        for target in (
            *each.get("IpRanges", ()),
            *each.get("Ipv6Ranges", ()),
            *(_pair(pair, side) for pair in each.get("UserIdGroupPairs", ())),
            *(_prefixes(one, side) for one in each.get("PrefixListIds", ())),
        )
    ]


def _ports(rule: Properties) -> Properties:
    return {name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in rule}


def _pair(pair: Properties, side: str) -> Properties:
    return {f"{side}SecurityGroupId": pair["GroupId"], **_description(pair)}


def _prefixes(prefixes: Properties, side: str) -> Properties:
    return {f"{side}PrefixListId": prefixes["PrefixListId"], **_description(prefixes)}


def _description(target: Properties) -> Properties:
    return {"Description": target["Description"]} if target.get("Description") else {}


TYPES = (SecurityGroup(), SecurityGroupIngress(), SecurityGroupEgress())
