"""What the canary will be able to tell at the present traffic. This gate informs only: it never refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates import requests
from samjhadoo_ops.deployment.gates.finding import Finding, ok, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground

_LOOK_BACK = 3600.0


def check(ground: Ground) -> Finding:
    """Tell how many requests the canary will get and which failures that is enough to find."""
    from samjhadoo_ops.deployment.verdict.power import expectation, expected_requests
    from samjhadoo_ops.deployment.verdict.sequential import Sprt

    deployment = ground.env.deployment
    if ground.first or deployment.strategy != "CANARY":
        return skipped("there is no canary this time")
    total = requests.counted(ground, requests.REQUESTS, seconds=_LOOK_BACK, period=60)[requests.REQUESTS]
    expected = expected_requests(
        total / _LOOK_BACK, canary_percent=deployment.canary_percent, seconds=float(deployment.canary_time)
    )
    promised, rolled_back = ground.env.slo.error_rate_percent, ground.env.rollback.error_rate_percent
    if not 0.0 < promised < rolled_back < 100.0:  # noqa: PLR2004 - percent
        return skipped("slo.error_rate_percent is not below rollback.error_rate_percent")
    return ok(expectation(expected, Sprt(promised / 100.0, rolled_back / 100.0)).sentence())


GATE = Gate("canary_sample", "what the canary can tell", check)
