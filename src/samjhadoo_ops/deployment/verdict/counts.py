"""What is counted of a deployment in each minute: all that a verdict is made of. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one release.

    Attributes:
        errors: Requests that its targets answered with 5xx, or to which no connection was had.
        slow: Requests that took longer than the SLO's latency.
        unanswered: Requests that its targets never answered (timed out, broke off, given up by the client).
        refused: Connections that its targets did not take; among the errors, too.
        deliveries: Payment outcomes.
        failures: Those among them that failed.

    """

    requests: int = 0
    errors: int = 0
    slow: int = 0
    unanswered: int = 0
    refused: int = 0
    deliveries: int = 0
    failures: int = 0

    def of(self, signal: str) -> tuple[int, int]:
        """Return a signal's sample and how many of it were bad."""
        if signal == "payments":
            return self.deliveries, min(self.failures, self.deliveries)
        bad = {"errors": self.errors, "latency": self.slow, "no answer": self.unanswered}[signal]
        return self.requests, min(bad, self.requests)

    def without(self, own: Counts) -> Counts:
        """Return the counts less those of the tool's own requests."""
        return Counts(
            requests=max(0, self.requests - own.requests),
            errors=max(0, self.errors - own.errors),
            slow=max(0, self.slow - own.slow),
            unanswered=self.unanswered,
            refused=self.refused,
            deliveries=self.deliveries,
            failures=self.failures,
        )


class Minute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One minute of a deployment.

    Attributes:
        at: When it began, Unix seconds on the clock.
        weight: Share of production traffic on the new release, in percent.
        settled: Whether the weight had not changed lately, so that shares can be compared with it.
        canary: Of the new release, without the tool's own requests.
        baseline: Of the release that serves beside it.
        synthetic: Of requests the tool sent to the new release for the want of others.
        lost: 5xx that the load balancer itself answered; it doesn't tell for which release.

    """

    at: float
    weight: float
    settled: bool = False
    canary: Counts = Counts()
    baseline: Counts = Counts()
    synthetic: Counts = Counts()
    lost: int = 0

    @property
    def shared(self) -> bool:
        """Tell whether both releases got traffic."""
        return 0.0 < self.weight < 100.0  # noqa: PLR2004 - percent


def total(counts: Iterable[Counts], signal: str) -> tuple[int, int]:
    """Return a signal's sample and how many of it were bad, over all."""
    pairs = [each.of(signal) for each in counts]
    return sum(sample for sample, _ in pairs), sum(bad for _, bad in pairs)


def summed(counts: Iterable[Counts]) -> dict[str, int]:
    """Return the sums of what people ask for: requests, 5xx, slow ones, those without an answer."""
    found = list(counts)
    return {
        "requests": sum(each.requests for each in found),
        "errors": sum(each.errors for each in found),
        "slow": sum(each.slow for each in found),
        "unanswered": sum(each.unanswered for each in found),
    }
