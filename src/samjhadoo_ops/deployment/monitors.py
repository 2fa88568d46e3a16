"""Whether ECS itself watches a deployment, as it was asked to.

ECS ignores all alarms of a deployment when one of them was in ALARM as it began, without an error; it
shows that as `alarms.status: DISABLED`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.outcome import phase_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from samjhadoo_ops.deployment.observation import Observation

_OFF = "DISABLED"


@dataclass(frozen=True)
class Monitors:
    """What ECS was asked to watch.

    Attributes:
        required: Whether a deployment that it does not watch is rolled back.

    """

    alarms: bool
    breaker: bool
    required: bool


def monitors_of(configuration: Mapping[str, Any], *, required: bool) -> Monitors:
    """Return what a deployment configuration asks ECS to watch."""
    return Monitors(
        alarms=bool(configuration.get("alarms", {}).get("enable")),
        breaker=bool(configuration.get("deploymentCircuitBreaker", {}).get("enable")),
        required=required,
    )


def unmonitored(observed: Observation, asked: Monitors) -> str:
    """Return what ECS does not watch though asked to; empty for nothing, or when that can't be told."""
    if observed.status == "PENDING" or phase_of(observed).ended:
        return ""
    off = [
        name
        for name, wanted, status in (
            ("the deployment's alarms", asked.alarms, observed.alarms),
            ("the circuit breaker", asked.breaker, observed.breaker),
        )
        if wanted and status == _OFF
    ]
    if not off:
        return ""
    ignored = asked.alarms and observed.alarms == _OFF
    why = "; an alarm that was firing when the deployment began makes it ignore all" if ignored else ""
    return f"ECS does not watch {' and '.join(off)}{why}"
