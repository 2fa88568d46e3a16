"""The incomplete beta function against sums of binomials, closed forms and numeric integration."""

from __future__ import annotations

import math

import pytest

from samjhadoo_ops.deployment.verdict.beta import log_beta, log_lower, log_upper
from samjhadoo_ops.deployment.verdict.relative import at_least, log_e_value, log_share_e_value


@pytest.mark.parametrize("n", [1, 5, 40, 300])
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.97])
def test_its_tail_is_that_of_a_binomial(n: int, p: float) -> None:
    for k in {1, n // 3 + 1, n}:
        exact = math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k, n + 1))
        assert at_least(k, n, p) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize(("a", "b", "x"), [(1, 1, 0.3), (2.5, 1, 0.7), (1, 900, 0.1), (7000, 1, 0.2)])
def test_closed_forms_hold_also_where_a_float_underflows(a: float, b: float, x: float) -> None:
    lower = a * math.log(x) if b == 1 else None
    upper = b * math.log1p(-x) if a == 1 else None
    if lower is not None:
        assert log_lower(a, b, x) == pytest.approx(lower, rel=1e-9)
    if upper is not None:
        assert log_upper(a, b, x) == pytest.approx(upper, rel=1e-9)


@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (3.0, 80.0), (30.0, 12.0)])
def test_both_sides_add_up_to_one(a: float, b: float) -> None:
    for x in (0.01, 0.2, 0.5, 0.8, 0.99):
        assert math.exp(log_lower(a, b, x)) + math.exp(log_upper(a, b, x)) == pytest.approx(1.0)
    assert (log_lower(a, b, 0.0), log_lower(a, b, 1.0)) == (-math.inf, 0.0)


@pytest.mark.parametrize(("x", "total"), [(0, 3), (2, 2), (3, 4), (6, 20), (0, 40)])
def test_the_evidence_is_the_mean_likelihood_ratio_over_shares_above_the_weight(x: int, total: int) -> None:
    weight, steps = 0.1, 20_000
    width = (1 - weight) / steps
    shares = (weight + (step + 0.5) * width for step in range(steps))
    mean = math.fsum(p**x * (1 - p) ** (total - x) for p in shares) / steps
    expected = math.log(mean) - x * math.log(weight) - (total - x) * math.log(1 - weight)
    assert log_e_value(x, total, weight) == pytest.approx(expected, abs=1e-5)


def test_evidence_against_thousands_of_requests_is_finite() -> None:
    assert math.isfinite(log_e_value(0, 100_000, 0.1))
    assert log_e_value(0, 100_000, 0.1) < -5
    assert log_share_e_value(50_000, 100_000, 0.1) > 1000
    assert log_beta(1, 1) == 0.0


def test_three_errors_of_three_on_a_tenth_of_the_traffic_are_enough_and_two_are_not() -> None:
    assert log_e_value(3, 3, 0.1) > math.log(100) > log_e_value(2, 2, 0.1)


def test_without_a_share_there_is_no_evidence() -> None:
    assert log_e_value(3, 3, 0.0) == log_e_value(3, 3, 1.0) == log_share_e_value(0, 0, 0.1) == 0.0
