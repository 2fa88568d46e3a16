"""ECS shifts weights without looking at what they are: a rule edited by hand would make a rollback send
traffic to the wrong place (containers-roadmap #2853).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.ecs import ONGOING
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.deployment.traffic import rule_weights

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse unless the production rule sends all traffic to the current revision's target group."""
    if ground.service is None or ground.first:
        return skipped("no release serves yet")
    if any(brief["status"] in ONGOING for brief in ground.deployments):
        return skipped("a deployment is moving it")
    expected = {
        balancer["targetGroupArn"]
        for revision in ground.revisions.values()
        for balancer in revision.get("resolvedConfiguration", {}).get("loadBalancers", ())
    }
    if not expected:
        return skipped("ECS doesn't tell the current revision's target group")
    rule = ground.rules.get(ground.listening.production_rule, {})
    found = {arn for arn, share in rule_weights(rule).items() if share}
    if found == expected:
        return ok(f"all of it goes to {_name(expected)}")
    return refused(
        f"production traffic goes to {_name(found)}, but the current revision is in {_name(expected)}",
        remedy=f"correct the rule {ground.listening.production_rule} by hand, then deploy again",
    )


def _name(target_groups: set[str]) -> str:
    return ", ".join(sorted(arn.split("/")[-2] if "/" in arn else arn for arn in target_groups)) or "nowhere"


GATE = Gate("production_traffic", "production traffic is where ECS expects it", check)
