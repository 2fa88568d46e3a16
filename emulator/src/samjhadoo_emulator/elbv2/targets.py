"""Operations on targets: registration, draining, health."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.elbv2 import attributes
from samjhadoo_emulator.elbv2.base import Elbv2Base
from samjhadoo_emulator.elbv2.data_plane.admin import HostStatus
from samjhadoo_emulator.elbv2.data_plane.clusters import cluster_name, health_port
from samjhadoo_emulator.elbv2.health import NOT_REGISTERED, Failure, Health, decide, probe, unhealthy
from samjhadoo_emulator.elbv2.model import Target
from samjhadoo_emulator.errors import validation_error
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.elbv2.data_plane.plane import HostKey
    from samjhadoo_emulator.elbv2.model import TargetGroup
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

PROBE_TIMEOUT = 0.5
PROBE_AGE = 0.2
BUSY_PAUSE = 0.05
UNCHECKED = HostStatus(pending=True, failed=True, timed_out=False, active=0)
IDLE_PAUSE = 1.0


class Targets(Elbv2Base):
    """Targets are known by id and port. Those of type `instance` (`i-…`) are ports of this machine."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._draining: asyncio.Task[None] | None = None
        self._probes: dict[HostKey, tuple[float, int | Failure]] = {}

    @operation("RegisterTargets")
    async def register_targets(self, params: Params) -> Result:
        group = self.target_group(params["TargetGroupArn"])
        wanted = [_target(group, each, self.clock.timestamp()) for each in params["Targets"]]
        added = {(target.id, target.port): target for target in wanted}
        self._check_amount(group, added)
        for key, target in added.items():
            current = group.targets.get(key)
            if current is None or current.draining:
                group.targets[key] = target
                self.plane.forget(_host_key(group, target))
        await self.plane.sync()
        return {}

    @operation("DeregisterTargets")
    async def deregister_targets(self, params: Params) -> Result:
        group = self.target_group(params["TargetGroupArn"])
        delay = int(group.attributes[attributes.DRAINING])
        at_once = delay == 0 or group.arn not in self.state.users()
        for each in params["Targets"]:
            key = (each["Id"], each.get("Port") or group.port)
            target = group.targets.get(key)
            if target is None:
                continue
            if at_once:
                del group.targets[key]
            elif not target.draining:
                target.draining_since = time.monotonic()
                target.status_until = self.clock.timestamp() + delay
        await self.plane.sync()
        if not at_once:
            self.let_go()
        return {}

    @operation("DescribeTargetHealth")
    async def describe_target_health(self, params: Params) -> Result:
        group = self.target_group(params["TargetGroupArn"])
        wanted = params.get("Targets")
        keys = (
            [(each["Id"], each.get("Port") or group.port) for each in wanted]
            if wanted
            else list(group.targets)
        )
        hosts = await self.plane.hosts()
        unread = UNCHECKED if self.plane.settled else None
        in_use, now = self.state.uses(group.arn), self.clock.timestamp()
        healths: dict[tuple[str, int], Health] = {}
        failing: list[tuple[tuple[str, int], Target]] = []
        for key in keys:
            target = group.targets.get(key)
            # The endpoints may have been read before one was added, which then has not been checked yet.
            host = hosts.get(_host_key(group, target), unread) if target else None
            health = decide(group, target, host, in_use=in_use, now=now) if target else NOT_REGISTERED
            if health:
                healths[key] = health
            elif target:
                failing.append((key, target))
        if failing:
            seen = await asyncio.gather(
                *(self._seen(group, target, _host_key(group, target)) for _, target in failing)
            )
            healths |= {key: unhealthy(group, each) for (key, _), each in zip(failing, seen, strict=True)}
        return {"TargetHealthDescriptions": [_description(group, key, healths[key]) for key in keys]}

    async def _seen(self, group: TargetGroup, target: Target, key: HostKey) -> int | Failure:
        at, seen = self._probes.get(key, (0.0, Failure.CONNECTION))
        if time.monotonic() - at > PROBE_AGE:
            self._probes = {
                each: found for each, found in self._probes.items() if time.monotonic() - found[0] < PROBE_AGE
            }
            seen = await probe(
                target.address,
                health_port(group, target),
                group.health["HealthCheckPath"],
                timeout=min(PROBE_TIMEOUT, group.health["HealthCheckTimeoutSeconds"]),
            )
            self._probes[key] = (time.monotonic(), seen)
        return seen

    def _check_amount(self, group: TargetGroup, added: dict[tuple[str, int], Target]) -> None:
        users = self.state.users()
        for balancer in users.get(group.arn, ()):
            groups = [self.state.target_groups[arn] for arn, found in users.items() if balancer in found]
            amount = sum(len(each.targets) for each in groups) + len(added.keys() - group.targets.keys())
            self.check_limit("targets-per-application-load-balancer", amount, "TooManyTargets")

    def let_go(self) -> None:
        """Remove drained targets in the background."""
        if self._draining is None or self._draining.done():
            self._draining = self.spawn(self._drain(), name=f"elbv2-draining-{self.region}")

    async def _drain(self) -> None:
        """Remove targets once they have drained.

        AWS shows a target as draining for the whole delay, which passes on the emulated clock, also when
        nothing is in flight; requests in flight are given the delay in real seconds, because processes do
        not run faster.
        """
        while draining := self._draining_targets():
            hosts = await self.plane.hosts(fresh=True)
            active, left, gone = False, IDLE_PAUSE, False
            for group, target in draining:
                host = hosts.get(_host_key(group, target))
                busy = host is not None and host.active > 0 and not _overdue(group, target)
                remaining = self.clock.real(target.status_until - self.clock.timestamp())
                if not busy and remaining <= 0:
                    del group.targets[target.id, target.port]
                    gone = True
                active = active or busy
                left = min(left, remaining if remaining > 0 else IDLE_PAUSE)
            if gone:
                await self.plane.sync()
            await asyncio.sleep(BUSY_PAUSE if active else max(BUSY_PAUSE, left))

    def _draining_targets(self) -> list[tuple[TargetGroup, Target]]:
        return [
            (group, target)
            for group in self.state.target_groups.values()
            for target in group.targets.values()
            if target.draining
        ]


def _target(group: TargetGroup, description: dict[str, Any], now: float) -> Target:
    identity = description["Id"]
    if group.target_type == "instance":
        if not identity.startswith("i-"):
            raise validation_error(f"Instance ID '{identity}' is not valid")
    else:
        try:
            ipaddress.ip_address(identity)
        except ValueError as error:
            raise validation_error(f"The IP address '{identity}' is not a valid IPv4 address") from error
    return Target(
        id=identity,
        port=description.get("Port") or group.port,
        registered_at=now,
        availability_zone=description.get("AvailabilityZone") or "",
    )


def _host_key(group: TargetGroup, target: Target) -> HostKey:
    return cluster_name(group.arn), target.address, target.port


def _overdue(group: TargetGroup, target: Target) -> bool:
    since = target.draining_since
    return since is not None and time.monotonic() - since >= int(group.attributes[attributes.DRAINING])


def _description(group: TargetGroup, key: tuple[str, int], health: Health) -> dict[str, Any]:
    target = group.targets.get(key) or Target(*key, registered_at=0.0)
    return {
        "Target": target.describe(),
        "HealthCheckPort": str(health_port(group, target)),
        "TargetHealth": health.describe(),
    }
