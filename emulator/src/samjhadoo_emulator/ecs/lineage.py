"""What a new revision follows: the revisions that serve, and the target groups that they leave to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.ecs.model import Revision, Service


def sources(service: Service, active: Iterable[Revision]) -> list[Revision]:
    """Return the active revisions, first the one that goes on serving: the last successful, else the one
    with the most production traffic, else the newest.
    """
    current = service.current

    def rank(revision: Revision) -> tuple[bool, bool, float]:
        serving = current is not None and revision is current.target and current.weights[0] > 0
        return (revision is not service.successful, not serving, -revision.created_at.timestamp())

    return sorted(active, key=rank)


def target_groups(service: Service, source: Revision | None) -> list[str]:
    """Return the target groups of a new revision: those that the source does not use, or the first ones."""
    rolling = service.configuration["strategy"] == "ROLLING"
    groups: list[str] = []
    for index, balancer in enumerate(service.workload.get("loadBalancers", [])):
        first = balancer["targetGroupArn"]
        other = (balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        used = source.target_groups[index] if source and index < len(source.target_groups) else None
        if rolling or other is None:
            groups.append(used if used is not None and used in (first, other) else first)
        else:
            groups.append(other if used == first else first)
    return groups
