"""Wald's sequential probability ratio test on counts, and its continuation through the bake. No I/O.

H0: a request fails with probability `p0` (what the service promises); H1: with `p1` (what is rolled back).
Every failed request adds `gain` to the log likelihood ratio, every good one `loss`, which is negative. The
test may be looked at as often as one likes, and minutes may come in batches.

After Wald (1945) the ratio rejects H0 at `fail_at` and accepts it at `pass_at`. A release that was accepted
may still turn bad, so new tests begin all the time, as in Page's CUSUM. Page's has no bound on false alarms
over a long bake; here each later test gets a smaller share of `alpha` (1/2, 1/6, 1/12 … of it), so that all
of them together stay below `alpha`, however long it takes. They begin after so many requests, not after an
acceptance: one more error then never makes an alarm disappear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Sprt:
    """The boundaries of a test.

    Attributes:
        p0: Fraction of requests that may fail.
        p1: Fraction that must be found.
        alpha: Probability of an alarm at `p0`, at most (about).
        beta: Probability of an acceptance at `p1`, at most (about).

    """

    p0: float
    p1: float
    alpha: float = 0.01
    beta: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.p0 < self.p1 < 1.0:
            raise ValueError(f"expected 0 < p0 < p1 < 1, got {self.p0} and {self.p1}")
        if not (0.0 < self.alpha < 1.0 and 0.0 < self.beta < 1.0 and self.alpha + self.beta < 1.0):
            raise ValueError(f"expected alpha and beta that add up to less than 1: {self.alpha}, {self.beta}")

    @cached_property
    def gain(self) -> float:
        """Return what a failed request adds."""
        return math.log(self.p1 / self.p0)

    @cached_property
    def loss(self) -> float:
        """Return what a good request adds; negative."""
        return math.log((1.0 - self.p1) / (1.0 - self.p0))

    @cached_property
    def fail_at(self) -> float:
        """Return the log likelihood ratio from which on H0 is rejected."""
        return math.log((1.0 - self.beta) / self.alpha)

    @cached_property
    def pass_at(self) -> float:
        """Return the log likelihood ratio down from which H0 is accepted; negative."""
        return math.log(self.beta / (1.0 - self.alpha))

    @cached_property
    def clean_to_pass(self) -> int:
        """Return how many requests without an error are accepted."""
        return math.ceil(self.pass_at / self.loss)

    def ratio(self, requests: float, errors: float) -> float:
        """Return the log likelihood ratio of so many requests."""
        return errors * self.gain + (requests - errors) * self.loss

    def within(self, errors: int) -> int:
        """Return within how many requests so many errors are rejected; 0 when never."""
        if errors * self.gain < self.fail_at:
            return 0
        return errors + math.floor((errors * self.gain - self.fail_at) / -self.loss)

    def begun_later(self, number: int) -> float:
        """Return the alarm boundary of the test that was begun as that number, from 0 on."""
        return self.fail_at + (math.log(number * (number + 1)) if number else 0.0)


@dataclass(frozen=True)
class Evidence:
    """What the tests say of the counts so far.

    Attributes:
        accepted: The first test had accepted H0 at some look.
        alarms: Of each test that rejected H0 at some look: the requests and errors since it began.

    """

    accepted: bool
    alarms: tuple[tuple[float, float], ...]

    @property
    def rejected(self) -> bool:
        """Tell whether any test rejected H0."""
        return bool(self.alarms)


def examine(sprt: Sprt, batches: Iterable[tuple[float, float]]) -> Evidence:
    """Return what the tests say of batches of (requests, errors), in their order."""
    starts: list[tuple[float, float]] = [(0.0, 0.0)]
    rejected: set[int] = set()
    requests = errors = 0.0
    accepted = False
    for batch_requests, batch_errors in batches:
        requests += batch_requests
        errors += min(batch_errors, batch_requests)
        rejected |= {
            number
            for number, (n, e) in enumerate(starts)
            if sprt.ratio(requests - n, errors - e) >= sprt.begun_later(number)
        }
        accepted = accepted or sprt.ratio(requests, errors) <= sprt.pass_at
        if requests - starts[-1][0] >= sprt.clean_to_pass:
            starts.append((requests, errors))
    alarms = tuple((requests - starts[number][0], errors - starts[number][1]) for number in sorted(rejected))
    return Evidence(accepted, alarms)
