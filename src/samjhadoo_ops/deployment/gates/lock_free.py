"""Two deploys at once both "succeed" at ECS: the second supersedes the first. Nothing overrides this gate;
`invoke unlock` breaks the lock of a deploy that is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse while somebody else holds the deployment lock."""
    holder = ground.holder()
    if holder is None:
        return ok("nobody else holds it")
    return refused(
        f"held by {holder}", remedy="wait for it to end; when its process is gone for good: invoke unlock"
    )


GATE = Gate("lock", "the deployment lock is free", check, overridable=False, mandatory=True)
