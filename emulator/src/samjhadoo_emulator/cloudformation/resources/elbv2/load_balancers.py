"""Application Load Balancers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.cloudformation.resources import paths
from samjhadoo_emulator.cloudformation.resources.api_type import puts
from samjhadoo_emulator.cloudformation.resources.elbv2.elbv2_type import LONGEST_NAME, Elbv2Type
from samjhadoo_emulator.cloudformation.resources.resource_type import Resource
from samjhadoo_emulator.cloudformation.resources.schema_form import in_schema
from samjhadoo_emulator.cloudformation.resources.waiting import wait_until
from samjhadoo_emulator.errors import AwsError, not_implemented

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties, Request


class Elbv2LoadBalancer(Elbv2Type):
    """A load balancer; `Ref` is its ARN."""

    name = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    creation, deletion = "CreateLoadBalancer", "DeleteLoadBalancer"
    arn_parameter = "LoadBalancerArn"
    attributes_property = "LoadBalancerAttributes"
    served: ClassVar = {"Type": frozenset({"application"})}
    unsupported = frozenset(
        {
            "EnableCapacityReservationProvisionStabilize",
            "EnablePrefixForIpv6SourceNat",
            "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic",
            "Ipv4IpamPoolId",
            "MinimumLoadBalancerCapacity",
        }
    )

    def check(self, properties: Properties) -> None:
        super().check(properties)
        for mapping in paths.values(properties, "SubnetMappings.*"):
            if isinstance(mapping, dict) and (others := sorted(mapping.keys() - {"SubnetId"})):
                raise not_implemented(
                    f"The emulator does not support SubnetMappings.{others[0]} of {self.name}."
                )

    async def make(self, request: Request) -> Resource:
        await self.check_name(request, "DescribeLoadBalancers")
        params = {"Name": request.generated_name(longest=LONGEST_NAME), **self.given(request)}
        made = (await self.call(request, self.creation, **params))["LoadBalancers"][0]
        return _resource(made)

    @puts("LoadBalancerAttributes")
    async def put_own_attributes(self, request: Request) -> None:
        await self.put_attributes(request)

    @puts("Subnets", "SubnetMappings")
    async def put_subnets(self, request: Request) -> None:
        named = [each["SubnetId"] for each in request.properties.get("SubnetMappings") or ()]
        subnets = named or request.properties.get("Subnets") or []
        await self.call(request, "SetSubnets", **self.identity(request), Subnets=list(subnets))

    @puts("SecurityGroups")
    async def put_security_groups(self, request: Request) -> None:
        groups = list(request.properties.get("SecurityGroups") or [])
        await self.call(request, "SetSecurityGroups", **self.identity(request), SecurityGroups=groups)

    @puts("IpAddressType")
    async def put_address_type(self, request: Request) -> None:
        kind = request.properties.get("IpAddressType", "ipv4")
        await self.call(request, "SetIpAddressType", **self.identity(request), IpAddressType=kind)

    async def settle(self, request: Request) -> Resource:
        """Wait until the load balancer is active."""
        return await wait_until(request, lambda: self._active(request))

    async def _active(self, request: Request) -> Resource | None:
        found = await self._found(request)
        state = found["State"]["Code"]
        if state == "failed":
            raise AwsError("NotStabilized", found["State"].get("Reason", "The load balancer failed."))
        return _resource(found) if state == "active" else None

    async def _found(self, request: Request) -> dict[str, Any]:
        answer = await self.call(request, "DescribeLoadBalancers", LoadBalancerArns=[request.id])
        found: dict[str, Any] = answer["LoadBalancers"][0]
        return found

    async def describe(self, request: Request) -> Properties | None:
        found = await self._found(request)
        subnets = [zone["SubnetId"] for zone in found["AvailabilityZones"]]
        return {
            **in_schema(self.name, found),
            "Name": found["LoadBalancerName"],
            "Subnets": subnets,
            "SubnetMappings": [{"SubnetId": each} for each in subnets],
            **await self.attributes_of(request),
        }


def _resource(found: dict[str, Any]) -> Resource:
    arn = found["LoadBalancerArn"]
    attributes = {
        "LoadBalancerArn": arn,
        "LoadBalancerName": found["LoadBalancerName"],
        "LoadBalancerFullName": arn.partition("loadbalancer/")[2],
        "DNSName": found["DNSName"],
        "CanonicalHostedZoneID": found["CanonicalHostedZoneId"],
    }
    return Resource(arn, attributes)


TYPES = (Elbv2LoadBalancer(),)
