"""Operations on target groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import attributes, health_settings, names, network
from samjhadoo_emulator.elbv2.arns import target_group_arn
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.elbv2.model import TargetGroup
from samjhadoo_emulator.elbv2.tags import checked
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

PROTOCOLS = ("HTTP", "HTTPS")
VERSIONS = ("HTTP1", "HTTP2")
TARGET_TYPES = ("instance", "ip")


class TargetGroups(Elbv2Base):
    """Target groups of the types `ip` and `instance`; the emulator's instances are this machine."""

    @operation("CreateTargetGroup")
    async def create_target_group(self, params: Params) -> Result:
        name = params["Name"]
        _check(params)
        await network.check_vpc(self.aws, params["VpcId"])
        tags = checked(params.get("Tags") or [])
        protocol = params["Protocol"]
        start = {"HealthCheckProtocol": protocol, **health_settings.DEFAULTS}
        wanted = TargetGroup(
            arn=target_group_arn(self.region, self.account, name),
            name=name,
            protocol=protocol,
            protocol_version=params.get("ProtocolVersion") or VERSIONS[0],
            port=params["Port"],
            vpc_id=params["VpcId"],
            target_type=params.get("TargetType") or TARGET_TYPES[0],
            ip_address_type=params.get("IpAddressType") or "ipv4",
            health=health_settings.settings(params, start),
            attributes=attributes.defaults(attributes.TARGET_GROUP),
        )
        existing = next((each for each in self.state.target_groups.values() if each.name == name), None)
        if existing is not None:
            return self._repeated_group(existing, wanted)
        self.check_limit("target-groups", len(self.state.target_groups) + 1, "TooManyTargetGroups")
        self.state.target_groups[wanted.arn] = wanted
        self.state.tags[wanted.arn] = tags
        return {"TargetGroups": [self._describe(wanted)]}

    @operation("DescribeTargetGroups")
    async def describe_target_groups(self, params: Params) -> Result:
        groups, users = self.state.target_groups, self.state.users()
        arns, wanted = params.get("TargetGroupArns") or [], params.get("Names") or []
        balancer = params.get("LoadBalancerArn")
        if sum(map(bool, (arns, wanted, balancer))) > 1:
            raise validation_error(
                "Target group names, target group ARNs and a load balancer ARN"
                " cannot be specified at the same time",
            )
        if balancer:
            self.load_balancer(balancer)
        missing = set(arns) - groups.keys() | set(wanted) - {group.name for group in groups.values()}
        if missing:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        found = [
            self._describe(group)
            for group in groups.values()
            if (not arns or group.arn in arns)
            and (not wanted or group.name in wanted)
            and (not balancer or balancer in users.get(group.arn, ()))
        ]
        return ELBV2.answer("TargetGroups", found, params)

    @operation("ModifyTargetGroup")
    async def modify_target_group(self, params: Params) -> Result:
        group = self.target_group(params["TargetGroupArn"])
        group.health = health_settings.settings(params, group.health)
        await self.plane.sync()
        return {"TargetGroups": [self._describe(group)]}

    @operation("DeleteTargetGroup")
    async def delete_target_group(self, params: Params) -> Result:
        arn = params["TargetGroupArn"]
        if arn in self.state.users():
            raise AwsError(
                "ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule"
            )
        self.state.target_groups.pop(arn, None)
        self.state.tags.pop(arn, None)
        return {}

    @operation("DescribeTargetGroupAttributes")
    async def describe_target_group_attributes(self, params: Params) -> Result:
        return attributes.describe(self.target_group(params["TargetGroupArn"]).attributes)

    @operation("ModifyTargetGroupAttributes")
    async def modify_target_group_attributes(self, params: Params) -> Result:
        group = self.target_group(params["TargetGroupArn"])
        changes = attributes.changes(attributes.TARGET_GROUP, "Target group", params["Attributes"])
        wanted = {**group.attributes, **changes}
        attributes.check_slow_start(wanted)
        if wanted[attributes.STICKY_TYPE] == "app_cookie" and not wanted["stickiness.app_cookie.cookie_name"]:
            raise AwsError(
                "InvalidConfigurationRequest",
                "You must set an application cookie name to enable stickiness of type 'app_cookie'",
            )
        group.attributes = wanted
        await self.plane.sync()
        return attributes.describe(group.attributes)

    def _describe(self, group: TargetGroup) -> dict[str, Any]:
        return group.describe(sorted(self.state.users().get(group.arn, ())))

    def _repeated_group(self, existing: TargetGroup, wanted: TargetGroup) -> Result:
        """Answer a repeated creation: return the same one, or refuse if a setting differs."""
        members = (
            "protocol",
            "protocol_version",
            "port",
            "vpc_id",
            "target_type",
            "ip_address_type",
            "health",
        )
        if any(getattr(existing, member) != getattr(wanted, member) for member in members):
            raise AwsError(
                "DuplicateTargetGroupName",
                f"A target group with the same name '{existing.name}' exists, but with different settings",
            )
        return {"TargetGroups": [self._describe(existing)]}


def _check(params: Params) -> None:
    names.check("Target group", params["Name"])
    kind = params.get("TargetType") or TARGET_TYPES[0]
    if kind not in TARGET_TYPES:
        raise validation_error(f"The emulator has no target groups of type '{kind}'")
    for member, words in (("Protocol", "protocol"), ("Port", "port"), ("VpcId", "VPC ID")):
        if not params.get(member):
            raise validation_error(f"A {words} must be specified")
    if params["Protocol"] not in PROTOCOLS:
        raise validation_error(
            "The emulator serves application load balancers only, no target groups of protocol "
            f"'{params['Protocol']}'"
        )
    # Empty is unset, also at AWS: so Terraform sends it.
    if (params.get("ProtocolVersion") or VERSIONS[0]) not in VERSIONS:
        raise validation_error(
            f"The emulator has no target groups of protocol version '{params['ProtocolVersion']}'",
        )
