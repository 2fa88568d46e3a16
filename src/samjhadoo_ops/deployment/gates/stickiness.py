"""Sticky clients stay where they are, whatever the weights say: the canary's share would be a fiction, and
a rollback would leave them behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse while a rule binds clients to a target group."""
    sticky = [arn for arn, rule in ground.rules.items() if is_sticky(rule)]
    if not sticky:
        return ok("off")
    return refused(
        f"on in {', '.join(sticky)}: weights and rollback would not hold for clients that were here before",
        remedy="switch off the rule's target group stickiness",
    )


def is_sticky(rule: Mapping[str, Any]) -> bool:
    """Tell whether a forward action of a rule has target group stickiness."""
    return any(
        action.get("ForwardConfig", {}).get("TargetGroupStickinessConfig", {}).get("Enabled", False)
        for action in rule.get("Actions", ())
    )


GATE = Gate("stickiness", "clients are not bound to a target group", check)
