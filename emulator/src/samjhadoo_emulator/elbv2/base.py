"""What the parts of the service share: the state of a region and finding things in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from samjhadoo_emulator.elbv2.data_plane.plane import DataPlane
from samjhadoo_emulator.elbv2.model import Listener, LoadBalancer, RegionState, Rule, TargetGroup
from samjhadoo_emulator.elbv2.names import SERVICE
from samjhadoo_emulator.errors import AwsError, validation_error
from samjhadoo_emulator.service import LiveService

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.service import AwsApi, Host

LIMITS = {
    "application-load-balancers": 50,
    "listeners-per-application-load-balancer": 50,
    "rules-per-application-load-balancer": 100,
    "target-groups": 3000,
    "target-groups-per-application-load-balancer": 100,
    "target-groups-per-action-on-application-load-balancer": 5,
    "targets-per-application-load-balancer": 1000,
    "certificates-per-application-load-balancer": 25,
    "condition-values-per-alb-rule": 5,
    "condition-wildcards-per-alb-rule": 5,
}


class Elbv2Base(LiveService):
    """A region's load balancers; operations raise AwsError in AWS's words."""

    name: ClassVar[str] = "elbv2"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.state = RegionState()
        self.plane = DataPlane.of(host)

    async def start(self) -> None:
        self.plane.attach(self.state)

    async def stop(self) -> None:
        await super().stop()
        await self.plane.detach(self.state)

    def load_balancer(self, arn: str) -> LoadBalancer:
        """Return a load balancer, or refuse as AWS does."""
        if arn not in self.state.load_balancers:
            self._check_arn(arn, "loadbalancer", "load balancer")
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return self.state.load_balancers[arn]

    def target_group(self, arn: str) -> TargetGroup:
        """Return a target group, or refuse as AWS does."""
        if arn not in self.state.target_groups:
            self._check_arn(arn, "targetgroup", "target group")
            raise AwsError("TargetGroupNotFound", f"Target groups '{arn}' not found")
        return self.state.target_groups[arn]

    def listener(self, arn: str) -> Listener:
        """Return a listener, or refuse as AWS does."""
        for listener in self.state.listeners():
            if listener.arn == arn:
                return listener
        self._check_arn(arn, "listener", "listener")
        raise AwsError("ListenerNotFound", "One or more listeners not found")

    def rule(self, arn: str) -> tuple[Listener, Rule]:
        """Return a rule and its listener, or refuse as AWS does."""
        for listener in self.state.listeners():
            if arn == listener.default.arn:
                return listener, listener.default
            if arn in listener.rules:
                return listener, listener.rules[arn]
        self._check_arn(arn, "listener-rule", "listener rule")
        raise AwsError("RuleNotFound", "One or more rules not found")

    def _check_arn(self, arn: str, kind: str, words: str) -> None:
        """Refuse what is no ARN of a kind in this region and account."""
        if not self.home(SERVICE).resource(arn).startswith(f"{kind}/"):
            raise validation_error(f"'{arn}' is not a valid {words} ARN")

    def check_limit(self, name: str, amount: int, code: str) -> None:
        """Refuse to go beyond a quota of the account."""
        if amount > LIMITS[name]:
            raise AwsError(code, f"The quota '{name}' of {LIMITS[name]} has been reached")

    def check_association(self, load_balancer: str, target_groups: Iterable[str]) -> None:
        """Refuse target groups that another load balancer uses, and more of them than a quota allows."""
        users = self.state.users()
        taken = [arn for arn in target_groups if users.get(arn, set()) - {load_balancer}]
        if taken:
            raise AwsError(
                "TargetGroupAssociationLimit",
                "The following target groups cannot be associated with more than one load balancer: "
                + ", ".join(taken),
            )
        used = {arn for arn, balancers in users.items() if load_balancer in balancers} | set(target_groups)
        self.check_limit(
            "target-groups-per-application-load-balancer",
            len(used),
            "TooManyUniqueTargetGroupsPerLoadBalancer",
        )
