"""The ELBv2 service of a region."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2.listeners import Listeners
from samjhadoo_emulator.elbv2.load_balancers import LoadBalancers
from samjhadoo_emulator.elbv2.model import LoadBalancer, TargetGroup
from samjhadoo_emulator.elbv2.publishing import Publishing
from samjhadoo_emulator.elbv2.rules import Rules
from samjhadoo_emulator.elbv2.tags import Tags
from samjhadoo_emulator.elbv2.target_groups import TargetGroups
from samjhadoo_emulator.snapshots.tables import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.snapshots.tables import Table


class Elbv2(LoadBalancers, TargetGroups, Publishing, Listeners, Rules, Tags):
    """The ELBv2 API. Its state is its own, so that every upstream will do; Envoy carries the traffic."""

    def tables(self) -> Sequence[Table]:
        """Return what a snapshot keeps: everything but what Envoy knows."""
        return (
            Rows.of("load_balancers", self.state.load_balancers, LoadBalancer),
            Rows.of("target_groups", self.state.target_groups, TargetGroup),
            Rows.of("tags", self.state.tags, dict[str, str]),
        )

    async def resume(self) -> None:
        """Open the listeners where they were, as far as their ports are free, and go on draining."""
        for _, target in self._draining_targets():
            target.draining_since = time.monotonic()  # what was in flight is gone, and monotonic time is new
        for listener in self.state.listeners():
            await self._open(listener)
        self.let_go()

    def dump(self) -> dict[str, Any]:
        """Return what there is, for people."""
        return {
            "load_balancers": [balancer.name for balancer in self.state.load_balancers.values()],
            "listeners": self.bound_ports(),
            "target_groups": {
                group.name: [target.describe() for target in group.targets.values()]
                for group in self.state.target_groups.values()
            },
            "envoy": self.plane.process.pid if self.plane.process else 0,
        }
