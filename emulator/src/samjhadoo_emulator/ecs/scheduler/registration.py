"""The tasks of one service in their target groups: registered, watched and deregistered."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.scheduler.replica import RegisteredTarget, Replica

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samjhadoo_emulator.ecs.scheduler.balancer import Balancer

BUSY_POLL = 0.05
"""Real seconds between two polls of target health while something is expected to change."""
IDLE_POLL = 1.0
"""Real seconds between two polls of target health of a steady service."""
ANSWERED = "Target.ResponseCodeMismatch"
"""The target answers, with a code that is not healthy: it has booted."""


class Registration:
    """The registrations of a service's replicas at the load balancer."""

    def __init__(self, balancer: Balancer, event: Callable[[str], None]) -> None:
        self._balancer = balancer
        self._event = event
        self._polled_at = 0.0
        self._allowances: dict[str, float] = {}

    @property
    def seen(self) -> bool:
        """Whether target health has been polled since the last registration or deregistration."""
        return self._polled_at > 0

    def due(self, *, busy: bool) -> float:
        """Return real seconds until target health has to be polled again.

        Services poll at the same moments, so that all of them together query Envoy once.
        """
        if not self.seen:
            return 0.001
        interval = BUSY_POLL if busy else IDLE_POLL
        return max(0.001, interval - time.monotonic() % interval)

    async def register(self, replicas: Iterable[Replica]) -> list[tuple[Replica, str]]:
        """Register replicas that have an address; return those that were refused, and why."""
        found = [(replica, targets) for replica in replicas if (targets := _targets(replica))]
        if not found:
            return []
        reasons = await self._balancer.register(target for _, targets in found for target in targets)
        refused = []
        for replica, targets in found:
            reason = next((reasons[target] for target in targets if target in reasons), "")
            if reason:
                refused.append((replica, reason))
            else:
                replica.targets = targets
        self._polled_at = 0.0
        self._add_events("registered", [replica for replica, _ in found])
        return refused

    async def deregister(self, replicas: list[Replica]) -> None:
        """Take replicas out of their target groups."""
        await self._balancer.deregister(target for replica in replicas for target in replica.targets)
        self._polled_at = 0.0
        self._add_events("deregistered", replicas)

    async def poll(self, replicas: Iterable[Replica]) -> None:
        """Update the replicas' target health, unless that has just been done."""
        registered = [replica for replica in replicas if replica.targets]
        if not registered or time.monotonic() - self._polled_at < BUSY_POLL / 2:
            return
        health = await self._balancer.health(target for replica in registered for target in replica.targets)
        self._polled_at = time.monotonic()
        for replica in registered:
            replica.health = {target: health[target] for target in replica.targets if target in health}

    async def gives_up(
        self, replica: Replica, target: RegisteredTarget, reason: str, *, grace: float
    ) -> bool:
        """Return whether an unhealthy target is to be replaced: its grace period (real seconds) is over and,
        if it never answered, so is the time that AWS would have given it to boot.
        """
        if replica.age < grace:
            return False
        if replica.was_healthy or reason == ANSWERED:
            return True
        if target.group not in self._allowances:
            self._allowances[target.group] = await self._balancer.boot_allowance(target.group)
        return replica.age >= self._allowances[target.group]

    def _add_events(self, what: str, replicas: list[Replica]) -> None:
        targets = [target for replica in replicas for target in replica.targets]
        for group in dict.fromkeys(target.group for target in targets):
            count = sum(target.group == group for target in targets)
            self._event(f"{what} {count} targets in (target-group {group})")


def _targets(replica: Replica) -> tuple[RegisteredTarget, ...]:
    """Return where a replica is to be registered; nothing unless all its ports are reached."""
    found = []
    balancers = replica.revision.workload.get("loadBalancers", [])
    for balancer, group in zip(balancers, replica.revision.target_groups, strict=True):
        address = replica.task.address(balancer["containerName"], balancer["containerPort"])
        if address is None:
            return ()
        found.append(RegisteredTarget(group, *address))
    return tuple(found)
