"""The minutes of a deployment put together: what was counted, less what the tool itself sent. No I/O.

The load balancer counts per target group, whichever listener a request came through: the tool's own probes
of the new release, and requests it sends for the want of others, are among the canary's. They are known here
and taken off, also when they were counted a little later than they were sent.
"""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from samjhadoo_ops.deployment.outcome import FULL_WEIGHT
from samjhadoo_ops.deployment.verdict.counts import Counts, Minute
from samjhadoo_ops.deployment.verdict.metrics import Reading

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = 60.0
SETTLING = 3 * MINUTE
"""After a change of weights requests of before are still counted; shares are compared later."""


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
            at: When.
            error: Whether it failed.
            slow: Whether it was slow.
            synthetic: Whether it was sent to be counted, not to probe.
            shared: Whether it went the way of production traffic: whose it is, is only known with all of it.

        """
        kept = self._synthetic if synthetic else self._shared if shared else self._probes
        minute = math.floor(at / MINUTE) * MINUTE
        with self._noting:
            kept[minute] = _plus(kept[minute], Counts(requests=1, errors=int(error), slow=int(slow)))

    def snapshot(self) -> tuple[dict[float, Counts], dict[float, Counts], dict[float, Counts]]:
        """Return what was noted by minute: probes, synthetic requests, probes the way of production."""
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
        """Note the share of traffic; the same share again is no change."""
        if weight != self._weights[-1][1]:
            self._weights.append((at, weight))

    def take(self, readings: Mapping[float, Reading]) -> None:
        """Take what was counted; a minute that was counted before is counted anew."""
        self._readings |= {at: reading for at, reading in readings.items() if at >= self.begins}

    def minutes(self, until: float) -> tuple[Minute, ...]:
        """Return the minutes that had ended at a time, those without any request too."""
        probes, synthetic, shared = self._own.snapshot()
        ended = max(0, int((until - self.begins) // MINUTE))
        found, owing = [], Counts()
        for at in (self.begins + MINUTE * number for number in range(ended)):
            owing = _plus(owing, _plus(probes.get(at, Counts()), synthetic.get(at, Counts())))
            if self._weight(at)[1] >= FULL_WEIGHT:
                owing = _plus(owing, shared.get(at, Counts()))
            reading = self._readings.get(at, Reading())
            canary = reading.canary.without(owing)
            owing = owing.without(reading.canary)
            found.append(self._minute(at, reading, canary, synthetic.get(at, Counts())))
        return tuple(found)

    def _weight(self, at: float) -> tuple[float, float]:
        """Return the weight at the end of a minute, and since when it is that."""
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
