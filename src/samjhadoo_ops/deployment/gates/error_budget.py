"""A service that has failed its users too often this month gets mended, not changed (SRE workbook, error
budget policy). 99.95 % over 30 days are 21.6 minutes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.gates import requests
from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground

_DAY = 86_400


def check(ground: Ground) -> Finding:
    """Refuse when less of the error budget is left than `gates.error_budget.remaining_percent`."""
    slo = ground.env.slo
    counts = requests.counted(
        ground,
        requests.REQUESTS,
        requests.TARGET_ERRORS,
        requests.ELB_ERRORS,
        seconds=float(slo.period),
        period=_DAY,
    )
    return decide(
        counts[requests.REQUESTS],
        counts[requests.TARGET_ERRORS] + counts[requests.ELB_ERRORS],
        objective=slo.availability_percent,
        wanted=ground.env.gates.error_budget.remaining_percent,
        period=str(slo.period),
    )


def remaining(total: float, errors: float, *, objective: float) -> float:
    """Return the percentage of the error budget that is left; negative when it is overdrawn.

    Args:
        objective: The availability that is promised, in percent.

    """
    allowed = total * (100.0 - objective) / 100.0
    if not allowed:
        return 100.0 if not errors else -100.0
    return 100.0 * (1.0 - errors / allowed)


def decide(total: float, errors: float, *, objective: float, wanted: float, period: str) -> Finding:
    """Return the finding for the requests and server errors of a period."""
    if not total:
        return skipped(f"no requests in {period}")
    left = remaining(total, errors, objective=objective)
    told = (
        f"{100.0 * (1.0 - errors / total):.6g} % of {total:.0f} requests in {period} were served "
        f"(objective {objective:g} %): "
        + (f"{left:.0f} % of the error budget is left" if left >= 0 else "the error budget is overdrawn")
    )
    if round(left, 6) < wanted:
        return refused(
            f"{told}, {wanted:g} % is wanted",
            remedy='deploy only what mends it: --override error_budget="which fix this is"',
        )
    return ok(told)


GATE = Gate("error_budget", "there is error budget left", check)
