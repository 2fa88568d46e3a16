"""Without a rule of its own for tests a release would meet production traffic untested."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.deployment.traffic import rule_weights

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse unless the test listener's rule forwards to one of the service's target groups."""
    listening = ground.listening
    rule = ground.rules.get(listening.test_rule)
    port = ground.env.service.test_listener_port
    if rule is None or listening.test_rule == listening.production_rule:
        return refused(
            f"the test listener (port {port}) has no rule of its own",
            remedy="give the load balancer a test listener (service.test_listener_port)",
        )
    if not set(rule_weights(rule)) & set(listening.target_groups):
        return refused(
            f"the test rule {listening.test_rule} forwards to none of the service's target groups",
            remedy=f"let it forward to {' or '.join(ground.env.service.target_groups)}",
        )
    return ok(f"port {port}")


GATE = Gate("test_rule", "the test listener has a rule", check)
