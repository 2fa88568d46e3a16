"""The verdict on a canary: two sequential tests on counts, a three-valued answer and one for neither.

Decisions are pure functions of each minute's counts, so that they can be computed again from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.verdict.power import Expectation, expectation, expected_requests
from samjhadoo_ops.deployment.verdict.thresholds import Thresholds, thresholds_of

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

__all__ = [
    "Expectation",
    "Thresholds",
    "canary_expectation",
    "expectation",
    "expected_requests",
    "thresholds_of",
]


def canary_expectation(env: Environment, *, per_second: float) -> Expectation:
    """Return what an environment's canary can tell at a traffic, for the line of the preflight.

    Args:
        env: The environment.
        per_second: Requests per second (of the environment's clock) of the whole service.

    """
    deployment = env.deployment
    requests = expected_requests(
        per_second, canary_percent=deployment.canary_percent, seconds=float(deployment.canary_time)
    )
    return expectation(requests, thresholds_of(env).errors)
