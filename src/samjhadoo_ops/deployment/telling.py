"""What is said of a deployment while it goes on: each change once, and what nobody knew could come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from samjhadoo_ops.deployment.outcome import Phase, unknown_values

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.deployment.observation import Observation


class Teller(Protocol):
    """Who hears what happens; the console and the journal are told by one."""

    def tell(self, event: str, text: str, **data: Any) -> None:
        """Say that something happened."""

    def record(self, event: str, **data: Any) -> None:
        """Write down what is about to be changed, or has been."""


class Changes:
    """Tells what changed since the last look.

    Args:
        now: Returns the time on the clock, in Unix seconds.

    """

    def __init__(self, teller: Teller, now: Callable[[], float]) -> None:
        self._teller = teller
        self._now = now
        self._since = 0.0
        self._text = ""
        self._phase: Phase | None = None
        self._unknown: set[str] = set()

    def tell(self, observed: Observation, phase: Phase) -> None:
        """Tell how the deployment stands, if that is new."""
        for value in unknown_values(observed) - self._unknown:
            self._unknown.add(value)
            self._teller.tell(
                "unknown", f"ECS shows {value}, which this version does not know: taken for in progress"
            )
        text, before = describe(observed, phase), self._phase
        if (text, phase) == (self._text, before):
            return
        if phase is not before:
            self._since = self._now()
        self._text, self._phase = text, phase
        if phase is Phase.ROLLING_BACK and phase is not before and observed.reason:
            text = f"{text}: {observed.reason}"
        self._teller.tell(
            "phase",
            text,
            phase=phase.name,
            stage=observed.stage,
            status=observed.status,
            weight=observed.production_weight,
            running=observed.running,
            requested=observed.requested,
            since=self._since,
            failed=observed.failures,
            acts_at=min(
                (hook.expires_at for hook in observed.waiting_hooks if hook.expires_at), default=None
            ),
        )


def describe(observed: Observation, phase: Phase) -> str:
    """Return a phase in one line for people."""
    parts = [phase.value]
    if observed.production_weight is not None and not phase.ended:
        parts.append(f"{observed.production_weight:g} % of traffic on the new release")
    if not phase.ended:
        parts.append(f"{observed.running}/{observed.requested} tasks")
    if observed.failures and not phase.ended:
        parts.append(f"{observed.failures} failed")
    if observed.reason and phase.ended and phase is not Phase.SUCCEEDED:
        parts.append(observed.reason)
    return ", ".join(parts)


def share(observed: Observation | None) -> str:
    """Return how much traffic the new release has, in words."""
    weight = observed.production_weight if observed else None
    return f"{weight or 0:g} % of production traffic on the new release"
