"""A deployment started over a running one would begin with the mess of two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse while a service deployment goes on, whoever started it."""
    for brief in ground.deployments:
        if brief["status"] in ONGOING:
            return refused(
                f"{brief['serviceDeploymentArn']} is {brief['status']}",
                remedy="wait for it to end (invoke status), or take it back: invoke rollback",
            )
    return ok("none")


GATE = Gate("no_deployment", "no deployment is in progress", check)
