"""What is counted of a deployment in each minute: all that a verdict is made of. No I/O.

The load balancer counts per target group, whichever listener a request came through: the tool's own probes
of the new release, and the requests it sends when there are too few others, are among the canary's. They are
known here and subtracted, also when they were counted a little later than they were sent.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.deployment.outcome import FULL_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MINUTE = 60.0
SETTLING = 3 * MINUTE
"""After a change of weights, earlier requests are still being counted; shares are compared later."""


class Counts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts of one release.

    Attributes:
        errors: Requests that its targets answered with 5xx, or to which no connection was made.
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


NONE = Counts()


@dataclass(frozen=True)
class Reading:
    """What was counted in one minute."""

    canary: Counts = NONE
    baseline: Counts = NONE
    lost: int = 0


class Minute(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One minute of a deployment.

    Attributes:
        at: When it began, Unix seconds on the clock.
        weight: Share of production traffic on the new release, in percent.
        settled: Whether the weight had not changed lately, so that shares can be compared with it.
        canary: Of the new release, without the tool's own requests.
        baseline: Of the old release that runs beside it.
        synthetic: Of requests that the tool sent to the new release because there were too few others.
        lost: 5xx that the load balancer itself answered; they are not counted per release.
    """

    at: float
    weight: float
    settled: bool = False
    canary: Counts = NONE
    baseline: Counts = NONE
    synthetic: Counts = NONE
    lost: int = 0

    @property
    def shared(self) -> bool:
        """Return whether both releases got traffic."""
        return 0.0 < self.weight < 100.0  # noqa: PLR2004 - percent


def total(counts: Iterable[Counts], signal: str) -> tuple[int, int]:
    """Return a signal's sample and how many of it were bad, over all."""
    pairs = [each.of(signal) for each in counts]
    return sum(sample for sample, _ in pairs), sum(bad for _, bad in pairs)


def summed(counts: Iterable[Counts]) -> dict[str, int]:
    """Return the sums of what people read: requests, 5xx, slow ones, those without an answer."""
    found = list(counts)
    return {
        "requests": sum(each.requests for each in found),
        "errors": sum(each.errors for each in found),
        "slow": sum(each.slow for each in found),
        "unanswered": sum(each.unanswered for each in found),
    }


class OwnTraffic:
    """Requests that the tool sends to the new release; several threads may note them."""

    def __init__(self) -> None:
        self._noting = threading.Lock()
        self._probes: dict[float, Counts] = defaultdict(Counts)
        self._synthetic: dict[float, Counts] = defaultdict(Counts)
        self._shared: dict[float, Counts] = defaultdict(Counts)

    def note(
        self, at: float, *, error: bool, slow: bool = False, synthetic: bool = False, shared: bool = False
    ) -> None:
        """Note a request that was answered or failed at a time, Unix seconds on the clock.

        Args:
            synthetic: Whether it was sent to be counted, not to probe.
            shared: Whether it went through the production listener: which release answered is only known when
                one of them gets all traffic.
        """
        kept = self._synthetic if synthetic else self._shared if shared else self._probes
        minute = math.floor(at / MINUTE) * MINUTE
        with self._noting:
            kept[minute] = _plus(kept[minute], Counts(requests=1, errors=int(error), slow=int(slow)))

    def snapshot(self) -> tuple[dict[float, Counts], dict[float, Counts], dict[float, Counts]]:
        """Return what was noted by minute: probes, synthetic requests, probes of the production listener."""
        with self._noting:
            return dict(self._probes), dict(self._synthetic), dict(self._shared)


class Ledger:
    """The minutes since the canary got traffic.

    Args:
        since: When it did, Unix seconds on the clock.
        weight: Its share in percent.
    """

    def __init__(self, since: float, weight: float, own: OwnTraffic) -> None:
        self.begins = math.ceil(since / MINUTE) * MINUTE
        self._own = own
        self._weights = [(since, weight)]
        self._readings: dict[float, Reading] = {}

    def shift(self, at: float, weight: float) -> None:
        """Note the share of traffic; noting the same share again changes nothing."""
        if weight != self._weights[-1][1]:
            self._weights.append((at, weight))

    def take(self, readings: Mapping[float, Reading]) -> None:
        """Take what was counted; a later count of a minute replaces the earlier one."""
        self._readings |= {at: reading for at, reading in readings.items() if at >= self.begins}

    def minutes(self, until: float) -> tuple[Minute, ...]:
        """Return the minutes that had ended at a time, those without any request included."""
        probes, synthetic, shared = self._own.snapshot()
        ended = max(0, int((until - self.begins) // MINUTE))
        found, owing = [], NONE
        for at in (self.begins + MINUTE * number for number in range(ended)):
            owing = _plus(owing, _plus(probes.get(at, NONE), synthetic.get(at, NONE)))
            if self._weight(at)[1] >= FULL_WEIGHT:
                owing = _plus(owing, shared.get(at, NONE))
            reading = self._readings.get(at, Reading())
            canary = reading.canary.without(owing)
            owing = owing.without(reading.canary)
            found.append(self._minute(at, reading, canary, synthetic.get(at, NONE)))
        return tuple(found)

    def _weight(self, at: float) -> tuple[float, float]:
        """Return the weight at the end of a minute, and since when it has been that."""
        return [self._weights[0], *(each for each in self._weights[1:] if each[0] < at + MINUTE)][-1]

    def _minute(self, at: float, reading: Reading, canary: Counts, synthetic: Counts) -> Minute:
        changed, weight = self._weight(at)
        return Minute(
            at=at,
            weight=weight,
            settled=at >= changed + SETTLING,
            canary=canary,
            baseline=reading.baseline,
            synthetic=synthetic,
            lost=reading.lost,
        )


def _plus(one: Counts, other: Counts) -> Counts:
    return Counts(
        requests=one.requests + other.requests,
        errors=one.errors + other.errors,
        slow=one.slow + other.slow,
    )
