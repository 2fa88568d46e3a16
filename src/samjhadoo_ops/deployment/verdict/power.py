"""What a canary can tell at a service's traffic: exact, by dynamic programming. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.verdict.sequential import Sprt

MOST_REQUESTS = 3000
"""Requests after which the test has decided for all practical purposes (open in less than 1 of 10,000)."""
_NEARLY_SURE = 0.995


@dataclass(frozen=True)
class Power:
    """How a test ends after so many requests, each failing with the same probability.

    Attributes:
        rate: Fraction of requests that fail.
        fails: Probability that the test has rejected.
        passes: Probability that it has accepted.

    """

    rate: float
    requests: int
    fails: float
    passes: float

    @property
    def open(self) -> float:
        """Return the probability that the test has not decided."""
        return max(0.0, 1.0 - self.fails - self.passes)


@lru_cache(maxsize=256)
def power(sprt: Sprt, rate: float, requests: int) -> Power:
    """Return how Wald's test ends after so many requests that fail with a probability.

    The state after n requests is the number of errors, so the distribution over all courses is exact.
    """
    open_mass = {0: 1.0}
    fails = passes = 0.0
    for number in range(1, min(requests, MOST_REQUESTS) + 1):
        following: dict[int, float] = {}
        for errors, mass in open_mass.items():
            for more, share in ((0, 1.0 - rate), (1, rate)):
                following[errors + more] = following.get(errors + more, 0.0) + mass * share
        open_mass = {}
        for errors, mass in following.items():
            ratio = sprt.ratio(number, errors)
            if ratio >= sprt.fail_at:
                fails += mass
            elif ratio <= sprt.pass_at:
                passes += mass
            else:
                open_mass[errors] = mass
    return Power(rate, requests, fails, passes)


@dataclass(frozen=True)
class Expectation:
    """What is to be expected of a canary, for the line of the preflight.

    Attributes:
        requests: Expected requests at the canary.
        clean: How many requests without an error are needed to pass.
        rows: The power at the rates that matter, from the promised one on.

    """

    requests: int
    clean: int
    p1: float
    rows: tuple[Power, ...]

    @property
    def can_pass(self) -> bool:
        """Tell whether the canary can pass on evidence at all."""
        return self.requests >= self.clean

    @property
    def detection(self) -> float:
        """Return the probability that a release that fails with `p1` is found."""
        return next(row.fails for row in self.rows if row.rate == self.p1)

    def sentence(self) -> str:
        """Return it for people."""
        said = (
            f"with {self.requests} expected canary requests we detect ≥ {100 * self.p1:.3g} % errors "
            f"with {_percent(self.detection)}"
        )
        if self.can_pass:
            return said
        return (
            f"{said}, and the canary cannot pass on evidence: {self.clean} clean requests are needed "
            "(observe it longer, raise deployment.canary_percent, or add synthetic traffic)"
        )


def expectation(requests: float, sprt: Sprt) -> Expectation:
    """Return what a canary with so many expected requests can tell."""
    count = max(0, round(requests))
    rates = sorted({sprt.p0, 0.005, 0.01, 0.02, sprt.p1, 0.1, 0.2})
    rows = tuple(power(sprt, rate, count) for rate in rates)
    return Expectation(count, sprt.clean_to_pass, sprt.p1, rows)


def expected_requests(per_second: float, *, canary_percent: float, seconds: float) -> float:
    """Return how many requests a canary gets.

    Args:
        per_second: Requests per second of the whole service.
        canary_percent: The canary's share of them.
        seconds: How long it is observed.

    """
    return per_second * seconds * canary_percent / 100.0


def _percent(share: float) -> str:
    return "over 99 %" if share > _NEARLY_SURE else f"{100 * share:.0f} %"
