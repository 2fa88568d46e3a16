"""What the service knows: load balancers, listeners, rules, target groups and their targets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

LOOPBACK = "127.0.0.1"
DEFAULT_PRIORITY = "default"


@dataclass
class Target:
    """A registered target; a target group knows it by id and port.

    Attributes:
        registered_at: Unix time on the emulated clock.
        draining_since: Real monotonic time at which deregistration began, None while it is registered.
        status_until: Unix time on the emulated clock until which it is shown as draining.
    """

    id: str
    port: int
    registered_at: float
    availability_zone: str = ""
    draining_since: float | None = None
    status_until: float = 0.0

    @property
    def draining(self) -> bool:
        return self.draining_since is not None

    @property
    def address(self) -> str:
        """Where it listens: the emulator's instances (`i-…`) are this machine."""
        return LOOPBACK if self.id.startswith("i-") else self.id

    def describe(self) -> dict[str, Any]:
        zone = {"AvailabilityZone": self.availability_zone} if self.availability_zone else {}
        return {"Id": self.id, "Port": self.port, **zone}


@dataclass
class TargetGroup:
    """A target group; `health` holds its health check's members under AWS's names."""

    arn: str
    name: str
    protocol: str
    protocol_version: str
    port: int
    vpc_id: str
    target_type: str
    ip_address_type: str
    health: dict[str, Any]
    attributes: dict[str, str]
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)

    def describe(self, load_balancers: Iterable[str]) -> dict[str, Any]:
        return {
            "TargetGroupArn": self.arn,
            "TargetGroupName": self.name,
            "Protocol": self.protocol,
            "Port": self.port,
            "VpcId": self.vpc_id,
            **self.health,
            "LoadBalancerArns": list(load_balancers),
            "TargetType": self.target_type,
            "ProtocolVersion": self.protocol_version,
            "IpAddressType": self.ip_address_type,
        }


@dataclass
class Rule:
    """A listener's rule; the default rule has no conditions and the priority `default`."""

    arn: str
    priority: str
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    _forwards: tuple[Any, list[str]] = field(default=(None, []), init=False, repr=False, compare=False)
    """The actions, which are replaced and never changed, and the target groups found in them."""

    @property
    def is_default(self) -> bool:
        return self.priority == DEFAULT_PRIORITY

    @property
    def target_groups(self) -> list[str]:
        """The target groups it forwards to, whatever their weights."""
        actions, found = self._forwards
        if actions is not self.actions:
            found = [
                group["TargetGroupArn"]
                for action in self.actions
                if action["Type"] == "forward"
                for group in action["ForwardConfig"]["TargetGroups"]
            ]
            self._forwards = self.actions, found
        return found

    def describe(self) -> dict[str, Any]:
        return {
            "RuleArn": self.arn,
            "Priority": self.priority,
            "Conditions": self.conditions,
            "Actions": self.actions,
            "IsDefault": self.is_default,
        }


@dataclass
class Listener:
    """A listener.

    Attributes:
        bound_port: Where it really listens, which differs when its port was taken.
        certificates: The default certificate, if it is an HTTPS listener.
        more_certificates: The ARNs of those that clients get by the name that they ask for.
    """

    arn: str
    load_balancer: str
    port: int
    protocol: str
    bound_port: int
    default: Rule
    attributes: dict[str, str]
    certificates: list[dict[str, Any]] = field(default_factory=list)
    more_certificates: list[str] = field(default_factory=list)
    ssl_policy: str = ""
    rules: dict[str, Rule] = field(default_factory=dict)

    def in_order(self) -> list[Rule]:
        """Return all rules in the order in which they are tried, the default one last."""
        return [*sorted(self.rules.values(), key=lambda rule: int(rule.priority)), self.default]

    def describe(self) -> dict[str, Any]:
        description: dict[str, Any] = {
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.load_balancer,
            "Port": self.port,
            "Protocol": self.protocol,
            "DefaultActions": self.default.actions,
        }
        if self.certificates:
            description["Certificates"] = self.certificates
        if self.ssl_policy:
            description["SslPolicy"] = self.ssl_policy
        return description


@dataclass
class LoadBalancer:
    """An Application Load Balancer."""

    arn: str
    name: str
    dns_name: str
    created_at: datetime
    scheme: str
    vpc_id: str
    zones: list[dict[str, Any]]
    security_groups: list[str]
    ip_address_type: str
    attributes: dict[str, str]
    listeners: dict[str, Listener] = field(default_factory=dict)

    def describe(self) -> dict[str, Any]:
        return {
            "LoadBalancerArn": self.arn,
            "DNSName": self.dns_name,
            "CanonicalHostedZoneId": "Z0000000LOCALHOST",
            "CreatedTime": self.created_at,
            "LoadBalancerName": self.name,
            "Scheme": self.scheme,
            "VpcId": self.vpc_id,
            "State": {"Code": "active"},
            "Type": "application",
            "AvailabilityZones": self.zones,
            "SecurityGroups": self.security_groups,
            "IpAddressType": self.ip_address_type,
        }


@dataclass
class RegionState:
    """Everything of one region."""

    load_balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    target_groups: dict[str, TargetGroup] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def listeners(self) -> Iterator[Listener]:
        for balancer in self.load_balancers.values():
            yield from balancer.listeners.values()

    def uses(self, target_group: str) -> bool:
        """Return whether a rule forwards to a target group."""
        return any(
            target_group in rule.target_groups
            for listener in self.listeners()
            for rule in (*listener.rules.values(), listener.default)
        )

    def users(self) -> dict[str, set[str]]:
        """Return the load balancers that each target group in use serves."""
        users: dict[str, set[str]] = {}
        for listener in self.listeners():
            for rule in (*listener.rules.values(), listener.default):
                for group in rule.target_groups:
                    users.setdefault(group, set()).add(listener.load_balancer)
        return users
