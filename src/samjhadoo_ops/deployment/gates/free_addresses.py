"""Each Fargate task takes an address of its subnet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse when the subnets have fewer free addresses than the new set has tasks."""
    subnets = list(ground.env.service.subnets or ground.listening.subnets)
    if not subnets:
        return skipped("no subnets are known")
    answer = ground.aws.client("ec2").describe_subnets(SubnetIds=subnets)["Subnets"]
    tasks = (ground.service or {}).get("desiredCount") or ground.env.service.desired_count
    return decide({each["SubnetId"]: each["AvailableIpAddressCount"] for each in answer}, tasks=tasks)


def decide(free: Mapping[str, int], *, tasks: int) -> Finding:
    """Return the finding for the free addresses of each subnet."""
    total = sum(free.values())
    if total < tasks:
        told = ", ".join(f"{subnet} {count}" for subnet, count in sorted(free.items()))
        return refused(
            f"{tasks} tasks more need an address each, {total} are free ({told})",
            remedy="free addresses, or add a subnet (service.subnets)",
        )
    full = [subnet for subnet, count in sorted(free.items()) if not count]
    return ok(f"{total} for {tasks} tasks more{f'; none left in {chr(44).join(full)}' if full else ''}")


GATE = Gate("free_addresses", "the subnets have addresses for all tasks twice", check)
