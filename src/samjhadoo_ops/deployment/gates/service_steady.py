"""A canary is compared with the running release, so that must run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse while the service is not active with all its tasks running."""
    service = ground.service
    if service is None:
        return skipped("there is no service yet: this is the first deployment")
    if ground.first:
        return skipped("no deployment has succeeded yet")
    if service["status"] != "ACTIVE":
        return refused(f"the service is {service['status']}", remedy="wait, then deploy again")
    running, desired, pending = service["runningCount"], service["desiredCount"], service["pendingCount"]
    if running != desired or pending:
        return refused(
            f"{running} of {desired} tasks are running, {pending} pending",
            remedy="invoke status shows why; invoke rollback returns to the last release that worked",
        )
    return ok(f"{running} of {desired} tasks are running")


GATE = Gate("service_steady", "the service is steady", check)
