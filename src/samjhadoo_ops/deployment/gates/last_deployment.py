"""ECS rolls back only to a deployment that ended well; after one that didn't there is no safety net."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground

_GOOD = frozenset({"SUCCESSFUL", "ROLLBACK_SUCCESSFUL"})


def check(ground: Ground) -> Finding:
    """Refuse after a deployment that was stopped half way or whose rollback failed."""
    if ground.first:
        return skipped("no deployment has succeeded yet")
    ended = [brief for brief in ground.deployments if brief["status"] not in ONGOING]
    if ended[0]["status"] in _GOOD:
        return ok(ended[0]["status"])
    return refused(
        f"{ended[0]['serviceDeploymentArn']} ended {ended[0]['status']}",
        remedy="return to the last release that worked first: invoke rollback",
    )


GATE = Gate("last_deployment", "the last deployment ended well", check)
