"""Operations on target groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import attributes, names, network
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.elbv2.data_plane.clusters import statuses
from samjhadoo_emulator.elbv2.model import TargetGroup
from samjhadoo_emulator.elbv2.names import target_group_arn
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
        start = {"HealthCheckProtocol": protocol, **DEFAULTS}
        wanted = TargetGroup(
            arn=target_group_arn(self.region, self.account, name),
            name=name,
            protocol=protocol,
            protocol_version=params.get("ProtocolVersion") or VERSIONS[0],
            port=params["Port"],
            vpc_id=params["VpcId"],
            target_type=params.get("TargetType") or TARGET_TYPES[0],
            ip_address_type=params.get("IpAddressType") or "ipv4",
            health=settings(params, start),
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
        group.health = settings(params, group.health)
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
    # Empty is unset, also on AWS: Terraform sends it like that.
    if (params.get("ProtocolVersion") or VERSIONS[0]) not in VERSIONS:
        raise validation_error(
            f"The emulator has no target groups of protocol version '{params['ProtocolVersion']}'",
        )


DEFAULTS: dict[str, Any] = {
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "HealthCheckPath": "/",
    "Matcher": {"HttpCode": "200"},
}
MEMBERS = ("HealthCheckProtocol", *DEFAULTS)
LONGEST_PATH = 1024
_CODES = re.compile(r"\d{3}(-\d{3})?(,\s*\d{3}(-\d{3})?)*")
_FIRST_CODE, _LAST_CODE = 200, 499


def settings(params: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Return `current` changed by a request's health check members.

    Raises:
        AwsError: A value is out of AWS's bounds.
    """
    given = {member: params[member] for member in MEMBERS if params.get(member) is not None}
    result = {**current, **given}
    interval, timeout = result["HealthCheckIntervalSeconds"], result["HealthCheckTimeoutSeconds"]
    if timeout >= interval:
        raise validation_error(
            f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )
    if result["HealthCheckProtocol"] not in ("HTTP", "HTTPS"):
        raise validation_error(
            f"Health check protocol '{result['HealthCheckProtocol']}' must be one of 'HTTP, HTTPS'"
        )
    if not result["HealthCheckEnabled"]:
        raise validation_error(
            "Health check enabled must be true for target groups with target type 'ip' or 'instance'"
        )
    _check_port(result["HealthCheckPort"])
    _check_path(result["HealthCheckPath"])
    _check_matcher(result["Matcher"])
    return result


def _check_port(port: str) -> None:
    if port != "traffic-port" and not (port.isdigit() and 1 <= int(port) <= 65535):  # noqa: PLR2004
        raise validation_error(
            f"Health check port '{port}' must be 'traffic-port' or in the range '1-65535' inclusive"
        )


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise validation_error(f"Health check path '{path}' must begin with '/' character")
    if len(path) > LONGEST_PATH:
        raise validation_error(
            f"Health check path '{path}' cannot be longer than '{LONGEST_PATH}' characters"
        )


def _check_matcher(matcher: dict[str, str]) -> None:
    codes = matcher.get("HttpCode", "")
    if not _CODES.fullmatch(codes):
        raise validation_error(
            f"Health check matcher HTTP code '{codes}' must be a code, a list or a range of codes"
        )
    if any(not _FIRST_CODE <= first <= last <= _LAST_CODE for first, last in statuses(codes)):
        raise validation_error(
            f"Health check matcher HTTP code '{codes}' must be within '{_FIRST_CODE}-{_LAST_CODE}' inclusive"
        )
