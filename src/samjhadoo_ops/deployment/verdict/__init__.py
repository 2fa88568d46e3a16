"""The verdict on a canary: two sequential tests on counts, a three-valued answer and one for neither.

Decisions are pure functions of each minute's counts, so that they can be computed again from the journal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.verdict.assessment import Thresholds, thresholds_of
from samjhadoo_ops.deployment.verdict.evidence import CanaryExpectation, expectation

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

__all__ = ["CanaryExpectation", "Thresholds", "canary_expectation", "thresholds_of"]


def canary_expectation(env: Environment, *, per_second: float) -> CanaryExpectation:
    """Return what an environment's canary can detect at a traffic, for the preflight.

    Args:
        per_second: Requests per second (of the environment's clock) of the whole service.
    """
    deployment = env.deployment
    requests = per_second * float(deployment.canary_time) * deployment.canary_percent / 100.0
    return expectation(requests, thresholds_of(env).errors)
