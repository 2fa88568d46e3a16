"""The statistics of the verdict: two sequential tests on counts, and what they can detect. No I/O.

The absolute test (`Sprt`, `examine`) compares one release with a promise: Wald's sequential probability
ratio test. The relative tests (`log_e_value`, `log_share_e_value`) compare two releases that serve side by
side: e-values. Both may be looked at after every minute without adding false alarms. `docs/verdict.md`
explains them without formulas.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_REQUESTS = 3000
"""Requests after which Wald's test has decided for all practical purposes (open in less than 1 of 10,000)."""
_NEARLY_SURE = 0.995
_PRIOR = 1.0
_TINY = 1e-300
_PRECISION = 1e-14
_MOST_STEPS = 10_000


@dataclass(frozen=True)
class Sprt:
    """Wald's sequential probability ratio test (1945), by its boundaries.

    H0: a request fails with probability `p0` (what the service promises); H1: with `p1` (what is rolled
    back). Every failed request adds `gain` to the log likelihood ratio, every good one `loss`, which is
    negative. The ratio rejects H0 at `fail_at` and accepts it at `pass_at`.

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
        """Return the log likelihood ratio at and below which H0 is accepted; negative."""
        return math.log(self.beta / (1.0 - self.alpha))

    @cached_property
    def clean_to_pass(self) -> int:
        """Return how many requests without an error are accepted."""
        return math.ceil(self.pass_at / self.loss)

    def ratio(self, requests: float, errors: float) -> float:
        """Return the log likelihood ratio of a number of requests."""
        return errors * self.gain + (requests - errors) * self.loss

    def within(self, errors: int) -> int:
        """Return within how many requests a number of errors is rejected; 0 for never."""
        if errors * self.gain < self.fail_at:
            return 0
        return errors + math.floor((errors * self.gain - self.fail_at) / -self.loss)

    def begun_later(self, number: int) -> float:
        """Return the alarm boundary of the test that was begun as this number, from 0 on."""
        return self.fail_at + (math.log(number * (number + 1)) if number else 0.0)


@dataclass(frozen=True)
class Evidence:
    """What the tests found in the counts so far.

    Attributes:
        accepted: Whether the first test had accepted H0 at some look.
        alarms: For each test that rejected H0 at some look: the requests and errors since it began.
    """

    accepted: bool
    alarms: tuple[tuple[float, float], ...]

    @property
    def rejected(self) -> bool:
        """Return whether any test rejected H0."""
        return bool(self.alarms)


def examine(sprt: Sprt, batches: Iterable[tuple[float, float]]) -> Evidence:
    """Return what the tests find in batches of (requests, errors), in their order.

    A release that was accepted may still turn bad, so new tests begin all the time, as in Page's CUSUM.
    Page's has no bound on false alarms over a long bake; here each later test gets a smaller share of `alpha`
    (1/2, 1/6, 1/12 … of it), so that all of them together stay below `alpha`, however long it takes. They
    begin after a number of requests, not after an acceptance: one more error then never makes an alarm
    disappear.
    """
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


def log_e_value(on_canary: float, total: float, weight: float) -> float:
    """Return the log evidence that the canary gets more than its share of the errors.

    When both releases are equally good, each error fell on the canary with probability `weight`. The evidence
    is a likelihood ratio of a mixture against that, an e-value: at any number of looks it reaches 1/alpha
    with a probability of at most alpha (Ville's inequality). The mixture is every share above the weight
    alike (a uniform prior, cut off at the weight).

    Args:
        weight: The canary's nominal share of traffic, from 0 to 1; at 0 and 1 there is nothing to compare.
    """
    if not 0.0 < weight < 1.0 or total <= 0.0:
        return 0.0
    on_canary = min(on_canary, total)
    rest = total - on_canary
    above = log_upper(_PRIOR + on_canary, _PRIOR + rest, weight) - log_upper(_PRIOR, _PRIOR, weight)
    return _log_mixture(on_canary, rest) + above - _log_likelihood(on_canary, rest, weight)


def log_share_e_value(on_canary: float, total: float, weight: float) -> float:
    """Return the log evidence that the canary's share of requests is another than the weight, either way."""
    if not 0.0 < weight < 1.0 or total <= 0.0:
        return 0.0
    on_canary = min(on_canary, total)
    rest = total - on_canary
    return _log_mixture(on_canary, rest) - _log_likelihood(on_canary, rest, weight)


def at_least(errors: float, total: float, share: float) -> float:
    """Return the probability that the canary gets `errors` or more of `total` errors at its share of them."""
    if errors <= 0.0:
        return 1.0
    if errors > total or share <= 0.0:
        return 0.0
    return math.exp(log_lower(errors, total - errors + 1.0, share))


def _log_mixture(on_canary: float, rest: float) -> float:
    return log_beta(_PRIOR + on_canary, _PRIOR + rest) - log_beta(_PRIOR, _PRIOR)


def _log_likelihood(on_canary: float, rest: float, weight: float) -> float:
    return on_canary * math.log(weight) + rest * math.log1p(-weight)


@dataclass(frozen=True)
class Power:
    """With which probability Wald's test rejects and accepts, if a fraction `rate` of requests fails."""

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
    """Return how Wald's test ends after a number of requests that fail with a probability.

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
class CanaryExpectation:
    """What a canary can detect, for the preflight.

    Attributes:
        clean: How many requests without an error are needed to pass.
        rows: The power at the rates that matter, from the objective on.
    """

    requests: int
    clean: int
    p1: float
    rows: tuple[Power, ...]

    @property
    def can_pass(self) -> bool:
        """Return whether the canary gets enough requests to pass at all."""
        return self.requests >= self.clean

    @property
    def detection(self) -> float:
        """Return the probability that a release that fails with `p1` is found."""
        return next(row.fails for row in self.rows if row.rate == self.p1)

    def sentence(self) -> str:
        """Return it for people."""
        detection = "over 99 %" if self.detection > _NEARLY_SURE else f"{100 * self.detection:.0f} %"
        expected = (
            f"with {self.requests} expected canary requests we detect ≥ {100 * self.p1:.3g} % errors "
            f"with {detection}"
        )
        if self.can_pass:
            return expected
        return (
            f"{expected}, which are too few for the canary to pass: {self.clean} requests without an error "
            "are needed (observe it longer, raise deployment.canary_percent, or add synthetic traffic)"
        )


def expectation(requests: float, sprt: Sprt) -> CanaryExpectation:
    """Return what a canary can detect with an expected number of requests."""
    count = max(0, round(requests))
    rates = sorted({sprt.p0, 0.005, 0.01, 0.02, sprt.p1, 0.1, 0.2})
    rows = tuple(power(sprt, rate, count) for rate in rates)
    return CanaryExpectation(count, sprt.clean_to_pass, sprt.p1, rows)


# The regularized incomplete beta function in logarithms, from `math` alone, as SciPy would be a heavy
# dependency for it. By the continued fraction of the NIST Digital Library of Mathematical Functions, 8.17.22,
# evaluated with Lentz's method; logarithms throughout, as evidence against thousands of requests underflows.


def log_beta(a: float, b: float) -> float:
    """Return log B(a, b)."""
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def log_lower(a: float, b: float, x: float) -> float:
    """Return log I_x(a, b), the probability that a Beta(a, b) variable is at most x.

    Args:
        a: Above 0.
        b: Above 0.
        x: From 0 to 1.
    """
    if x <= 0.0:
        return -math.inf
    if x >= 1.0:
        return 0.0
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges quickly on the other side only
        log_p = _log_fraction(b, a, 1.0 - x)
        return math.log(-math.expm1(log_p)) if log_p < 0.0 else -math.inf
    return _log_fraction(a, b, x)


def log_upper(a: float, b: float, x: float) -> float:
    """Return log(1 - I_x(a, b)), the probability that a Beta(a, b) variable is above x."""
    return log_lower(b, a, 1.0 - x)


def _log_fraction(a: float, b: float, x: float) -> float:
    front = a * math.log(x) + b * math.log1p(-x) - log_beta(a, b) - math.log(a)
    c, d = 1.0, 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < _PRECISION:
            break
    return front + math.log(value)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
