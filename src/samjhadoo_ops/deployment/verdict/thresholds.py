"""What a canary is judged by, from the settings. No I/O.

What is promised is the SLO's (plan 5.2), what is rolled back is plan 6.1's line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.verdict.sequential import Sprt

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

MINUTE = 60.0


@dataclass(frozen=True)
class Thresholds:
    """What the tests compare with.

    Attributes:
        errors: The test on failed requests.
        slow: The test on slow requests.
        slow_above: Seconds from which on a request is slow.
        payments: The test on payment outcomes; None where none are counted.
        weight: The canary's nominal share of traffic, from 0 to 1.
        alpha: Probability of a false alarm of each relative test.
        literal_rate: Fraction of failed requests above which …
        literal_minutes: … for so many minutes the plan's own rule is broken …
        literal_requests: … when there were at least so many.
        minimum: Requests at the canary below which there is no pass.
        provisional: Seconds in which counts may still change.

    """

    errors: Sprt
    slow: Sprt
    slow_above: float
    payments: Sprt | None
    weight: float
    alpha: float
    literal_rate: float
    literal_minutes: int
    literal_requests: int
    minimum: int
    provisional: float


def thresholds_of(env: Environment) -> Thresholds:
    """Return an environment's thresholds."""
    canary, slo, rollback = env.canary, env.slo, env.rollback
    share = {"alpha": canary.false_alarm, "beta": canary.miss}
    paid = canary.payments
    return Thresholds(
        errors=Sprt(slo.error_rate_percent / 100, _below_one(rollback.error_rate_percent), **share),
        slow=Sprt((100 - slo.latency_percentile) / 100, _below_one(canary.slow_percent), **share),
        slow_above=float(slo.latency),
        payments=Sprt(paid.expected_percent / 100, _below_one(paid.failed_percent), **share)
        if paid
        else None,
        weight=env.deployment.canary_percent / 100,
        alpha=canary.false_alarm,
        literal_rate=rollback.error_rate_percent / 100,
        literal_minutes=max(1, round(rollback.error_rate_time / MINUTE)),
        literal_requests=canary.window_requests,
        minimum=canary.minimum_requests,
        provisional=float(canary.provisional),
    )


def _below_one(percent: float) -> float:
    return min(percent / 100, 0.999)
