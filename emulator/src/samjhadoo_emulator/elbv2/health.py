"""A target's health in AWS's words: decided from what Envoy reports, probed where that does not say why."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from samjhadoo_emulator.elbv2.data_plane.clusters import statuses

if TYPE_CHECKING:
    from samjhadoo_emulator.elbv2.data_plane.admin import HostStatus
    from samjhadoo_emulator.elbv2.model import Target, TargetGroup


class Failure(Enum):
    """How a health check failed without an HTTP status."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"


@dataclass(frozen=True)
class Health:
    """A target's state, with a reason and description unless it is healthy."""

    state: str
    reason: str = ""
    description: str = ""

    def describe(self) -> dict[str, str]:
        details = {"Reason": self.reason, "Description": self.description} if self.reason else {}
        return {"State": self.state, **details}


HEALTHY = Health("healthy")
DRAINING = Health("draining", "Target.DeregistrationInProgress", "Target deregistration is in progress")
NOT_REGISTERED = Health("unused", "Target.NotRegistered", "Target is not registered to the target group")
NOT_IN_USE = Health(
    "unused", "Target.NotInUse", "Target group is not configured to receive traffic from the load balancer"
)
REGISTERING = Health("initial", "Elb.RegistrationInProgress", "Target registration is in progress")
CHECKING = Health("initial", "Elb.InitialHealthChecking", "Initial health checks in progress")
TIMED_OUT = Health("unhealthy", "Target.Timeout", "Request timed out")
FAILED = Health("unhealthy", "Target.FailedHealthChecks", "Health checks failed")


def decide(
    group: TargetGroup, target: Target, host: HostStatus | None, *, in_use: bool, now: float
) -> Health | None:
    """Return a target's health; None when it is unhealthy and only a probe can find out why.

    Args:
        host: Envoy's view; None where it has none yet.
        in_use: Whether a rule forwards to the group.
        now: Unix time on the emulated clock.
    """
    if target.draining:
        return DRAINING
    if not in_use:
        return NOT_IN_USE
    if host is None:
        return REGISTERING
    if host.pending:
        return CHECKING
    if not host.failed:
        return HEALTHY
    if now - target.registered_at < first_checks(group):
        return CHECKING
    return TIMED_OUT if host.timed_out else None


def first_checks(group: TargetGroup) -> float:
    """Return how long the checks take that make a new target unhealthy, in emulated seconds."""
    return float(group.health["HealthCheckIntervalSeconds"] * group.health["UnhealthyThresholdCount"])


def unhealthy(group: TargetGroup, seen: int | Failure) -> Health:
    """Return why a target is unhealthy, from an HTTP status or a failure seen just now."""
    if seen is Failure.TIMEOUT:
        return TIMED_OUT
    if isinstance(seen, Failure):
        return FAILED
    if any(first <= seen <= last for first, last in statuses(group.health["Matcher"]["HttpCode"])):
        return FAILED  # It has recovered, but not for as many checks as it takes.
    return Health(
        "unhealthy", "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{seen}]"
    )


async def probe(address: str, port: int, path: str, *, timeout: float) -> int | Failure:  # noqa: ASYNC109
    """Return the status that a target answers a health check with, or how it fails.

    Args:
        timeout: Real seconds for all of it.
    """
    try:
        async with asyncio.timeout(timeout):
            return await _status(address, port, path)
    except TimeoutError:
        return Failure.TIMEOUT
    except (OSError, ValueError, IndexError, EOFError):
        return Failure.CONNECTION


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        headers = (f"Host: {address}:{port}", "User-Agent: ELB-HealthChecker/2.0", "Connection: close")
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
