"""Operations on load balancers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2 import attributes, names, network
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.elbv2.model import LoadBalancer
from samjhadoo_emulator.elbv2.names import load_balancer_arn
from samjhadoo_emulator.elbv2.tags import checked
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.pagination import ELBV2
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

TYPES = ("application", "network", "gateway")
SCHEMES = ("internet-facing", "internal")
ADDRESS_TYPES = ("ipv4", "dualstack", "dualstack-without-public-ipv4")


class LoadBalancers(Elbv2Base):
    """Application Load Balancers. Their DNS names end in `localhost`, which resolves to this machine."""

    @operation("CreateLoadBalancer")
    async def create_load_balancer(self, params: Params) -> Result:
        name = params["Name"]
        _check_settings(params)
        vpc_id, zones = await network.zones(self.aws, _subnets(params))
        groups = await network.security_groups(self.aws, vpc_id, params.get("SecurityGroups") or [])
        tags = checked(params.get("Tags") or [])
        wanted = LoadBalancer(
            arn=load_balancer_arn(self.region, self.account, name),
            name=name,
            dns_name="",
            created_at=self.clock.now(),
            scheme=params.get("Scheme") or "internet-facing",
            vpc_id=vpc_id,
            zones=zones,
            security_groups=groups,
            ip_address_type=params.get("IpAddressType") or "ipv4",
            attributes=attributes.defaults(attributes.LOAD_BALANCER),
        )
        existing = next((each for each in self.state.load_balancers.values() if each.name == name), None)
        if existing is not None:
            return self._repeated_balancer(existing, wanted, tags)
        self.check_limit(
            "application-load-balancers", len(self.state.load_balancers) + 1, "TooManyLoadBalancers"
        )
        wanted.dns_name = f"{name}-{wanted.arn.rpartition('/')[2]}.{self.region}.elb.localhost"
        self.state.load_balancers[wanted.arn] = wanted
        self.state.tags[wanted.arn] = tags
        return {"LoadBalancers": [{**wanted.describe(), "State": {"Code": "provisioning"}}]}

    @operation("DescribeLoadBalancers")
    async def describe_load_balancers(self, params: Params) -> Result:
        arns, wanted = params.get("LoadBalancerArns") or [], params.get("Names") or []
        if arns and wanted:
            raise validation_error(
                "Load balancer names and load balancer ARNs cannot be specified at the same time",
            )
        balancers = self.state.load_balancers
        if any(arn not in balancers for arn in arns):
            raise AwsError("LoadBalancerNotFound", "One or more load balancers not found")
        missing = set(wanted) - {balancer.name for balancer in balancers.values()}
        if missing:
            raise AwsError(
                "LoadBalancerNotFound", f"Load balancers '[{', '.join(sorted(missing))}]' not found"
            )
        found = [
            balancer.describe()
            for balancer in balancers.values()
            if (not arns or balancer.arn in arns) and (not wanted or balancer.name in wanted)
        ]
        return ELBV2.answer("LoadBalancers", found, params)

    @operation("DeleteLoadBalancer")
    async def delete_load_balancer(self, params: Params) -> Result:
        arn = params["LoadBalancerArn"]
        balancer = self.state.load_balancers.get(arn)
        if balancer is None:
            return {}
        if balancer.attributes[attributes.PROTECTION] == "true":
            raise AwsError(
                "OperationNotPermitted",
                f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled",
            )
        for listener in balancer.listeners.values():
            for each in (listener.arn, *(rule.arn for rule in listener.in_order())):
                self.state.tags.pop(each, None)
        del self.state.load_balancers[arn]
        self.state.tags.pop(arn, None)
        await self.plane.sync()
        return {}

    @operation("SetSubnets")
    async def set_subnets(self, params: Params) -> Result:
        balancer = self.load_balancer(params["LoadBalancerArn"])
        _, zones = await network.zones(self.aws, _subnets(params))
        balancer.zones = zones
        balancer.ip_address_type = params.get("IpAddressType") or balancer.ip_address_type
        return {"AvailabilityZones": zones, "IpAddressType": balancer.ip_address_type}

    @operation("SetSecurityGroups")
    async def set_security_groups(self, params: Params) -> Result:
        balancer = self.load_balancer(params["LoadBalancerArn"])
        balancer.security_groups = await network.security_groups(
            self.aws, balancer.vpc_id, params["SecurityGroups"]
        )
        return {"SecurityGroupIds": balancer.security_groups}

    @operation("SetIpAddressType")
    async def set_ip_address_type(self, params: Params) -> Result:
        balancer = self.load_balancer(params["LoadBalancerArn"])
        _check_address_type(params["IpAddressType"])
        balancer.ip_address_type = params["IpAddressType"]
        return {"IpAddressType": balancer.ip_address_type}

    @operation("DescribeLoadBalancerAttributes")
    async def describe_load_balancer_attributes(self, params: Params) -> Result:
        return attributes.describe(self.load_balancer(params["LoadBalancerArn"]).attributes)

    @operation("ModifyLoadBalancerAttributes")
    async def modify_load_balancer_attributes(self, params: Params) -> Result:
        balancer = self.load_balancer(params["LoadBalancerArn"])
        balancer.attributes.update(
            attributes.changes(attributes.LOAD_BALANCER, "Load balancer", params["Attributes"])
        )
        await self.plane.sync()
        return attributes.describe(balancer.attributes)

    @operation("DescribeCapacityReservation")
    async def describe_capacity_reservation(self, params: Params) -> Result:
        self.load_balancer(params["LoadBalancerArn"])
        return {"CapacityReservationState": []}

    def _repeated_balancer(
        self, existing: LoadBalancer, wanted: LoadBalancer, tags: dict[str, str]
    ) -> Result:
        """Answer a repeated creation: return the same one, or refuse if a setting differs."""
        members = ("scheme", "zones", "security_groups", "ip_address_type")
        same = all(getattr(existing, member) == getattr(wanted, member) for member in members)
        if not same or tags != self.state.tags.get(existing.arn, {}):
            raise AwsError(
                "DuplicateLoadBalancerName",
                f"A load balancer with the same name '{existing.name}' exists, but with different settings",
            )
        return {"LoadBalancers": [existing.describe()]}


def _subnets(params: Params) -> list[str]:
    mapped = [mapping.get("SubnetId", "") for mapping in params.get("SubnetMappings") or []]
    if not all(mapped):
        raise validation_error("A subnet ID must be specified in each subnet mapping")
    if mapped and params.get("Subnets"):
        raise validation_error("You must specify either subnets or subnet mappings, but not both")
    return mapped or list(params.get("Subnets") or [])


def _check_settings(params: Params) -> None:
    names.check("Load balancer", params["Name"])
    kind = params.get("Type", "application")
    if kind not in TYPES:
        raise validation_error(
            f"1 validation error detected: Value '{kind}' at 'type' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{', '.join(TYPES)}]"
        )
    if kind != "application":
        raise validation_error(
            f"The emulator serves application load balancers only, no load balancers of type '{kind}'"
        )
    if params.get("Scheme", SCHEMES[0]) not in SCHEMES:
        raise AwsError("InvalidScheme", f"'{params['Scheme']}' must be one of [{', '.join(SCHEMES)}]")
    _check_address_type(params.get("IpAddressType", ADDRESS_TYPES[0]))


def _check_address_type(value: str) -> None:
    if value not in ADDRESS_TYPES:
        raise validation_error(
            f"1 validation error detected: Value '{value}' at 'ipAddressType' failed to satisfy constraint:"
            f" Member must satisfy enum value set: [{', '.join(ADDRESS_TYPES)}]",
        )
