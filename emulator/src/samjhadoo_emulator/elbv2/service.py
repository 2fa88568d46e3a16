"""The ELBv2 service of a region."""

from __future__ import annotations

from typing import Any

from samjhadoo_emulator.elbv2.listeners import Listeners
from samjhadoo_emulator.elbv2.load_balancers import LoadBalancers
from samjhadoo_emulator.elbv2.publishing import Publishing
from samjhadoo_emulator.elbv2.rules import Rules
from samjhadoo_emulator.elbv2.tags import Tags
from samjhadoo_emulator.elbv2.target_groups import TargetGroups


class Elbv2(LoadBalancers, TargetGroups, Publishing, Listeners, Rules, Tags):
    """The ELBv2 API. It keeps its own state, so it works with every upstream; Envoy carries the traffic."""

    def dump(self) -> dict[str, Any]:
        """Return a summary of the state."""
        return {
            "load_balancers": [balancer.name for balancer in self.state.load_balancers.values()],
            "listeners": self.bound_ports(),
            "target_groups": {
                group.name: [target.describe() for target in group.targets.values()]
                for group in self.state.target_groups.values()
            },
            "envoy": self.plane.process.pid if self.plane.process else 0,
        }
