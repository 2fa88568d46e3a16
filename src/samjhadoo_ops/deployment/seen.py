"""What a watch over a deployment has seen: where it began, where it turned, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.judge import Verdict
    from samjhadoo_ops.deployment.observation import Observation
    from samjhadoo_ops.deployment.outcome import Phase


@dataclass(frozen=True)
class Turn:
    """Where a deployment was when it turned back, or ended.

    Attributes:
        weight: Percent of production traffic on the new release.
        since: Seconds on the clock from its start.

    """

    phase: Phase
    weight: float | None
    since: float


@dataclass(frozen=True)
class Ending:
    """How a deployment ended, or where it was left.

    Attributes:
        reason: Why it was stopped by this run; empty when it wasn't.
        seconds: Real seconds spent in each phase, by its name.
        turn: Where it was before; None when it was never seen going on.
        verdict: The judge's last one.

    """

    phase: Phase
    observed: Observation
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    turn: Turn | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Before:
    """What is known of a deployment that was watched before, by a run that ended.

    Attributes:
        started: When it started, on the clock.
        canary_since: When its canary got traffic, on the clock; None when that was not seen.
        reason: Why a rollback had been requested; empty when none had been.

    """

    started: float
    canary_since: float | None = None
    reason: str = ""
