"""Wald's test against the table that operators check by hand and its exact power; the relative test and the
incomplete beta function against sums of binomials, closed forms and numeric integration.
"""

from __future__ import annotations

import math
import re
from itertools import takewhile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_runs import Chance

from samjhadoo_ops.deployment.verdict import canary_expectation
from samjhadoo_ops.deployment.verdict.evidence import (
    Sprt,
    at_least,
    examine,
    expectation,
    log_beta,
    log_e_value,
    log_lower,
    log_share_e_value,
    log_upper,
    power,
)
from samjhadoo_ops.environment import load_environment

PLAN = Sprt(0.001, 0.05)
LENIENT = Sprt(0.01, 0.05)
minutes = st.lists(
    st.integers(0, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=20
)


@pytest.mark.parametrize(
    ("test", "clean", "within"),
    [(PLAN, 60, {1: 0, 2: 67, 3: 145, 4: 224}), (LENIENT, 73, {1: 0, 2: 0, 3: 9, 4: 49, 5: 89})],
)
def test_the_boundaries_are_those_of_the_published_table(
    test: Sprt, clean: int, within: dict[int, int]
) -> None:
    assert test.clean_to_pass == clean
    assert {errors: test.within(errors) for errors in within} == within


@pytest.mark.parametrize(("errors", "requests"), [(2, 67), (3, 145), (4, 224)])
def test_errors_are_rejected_within_the_published_number_of_requests_and_not_in_one_more(
    errors: int, requests: int
) -> None:
    assert examine(PLAN, [(requests, errors)]).rejected
    assert not examine(PLAN, [(requests + 1, errors)]).rejected


def test_sixty_clean_requests_are_accepted_and_one_less_is_not() -> None:
    assert examine(PLAN, [(30, 0), (30, 0)]).accepted
    assert not examine(PLAN, [(30, 0), (29, 0)]).accepted


@pytest.mark.parametrize(
    ("rate", "row"),
    [
        (0.001, {18: (0, 0), 90: (0.2, 94), 450: (0.2, 99.8)}),
        (0.005, {18: (0.4, 0), 90: (4.6, 74), 450: (6, 94)}),
        (0.01, {18: (1.4, 0), 90: (15, 55), 450: (23, 77)}),
        (0.02, {18: (5, 0), 90: (41, 30), 450: (60, 40)}),
        (0.05, {18: (23, 0), 90: (88, 5), 450: (95, 5)}),
        (0.1, {18: (55, 0), 90: (99.6, 0.2), 450: (99.8, 0.2)}),
        (0.2, {18: (90, 0), 90: (100, 0), 450: (100, 0)}),
    ],
)
def test_the_power_is_that_of_the_published_table(rate: float, row: dict[int, tuple[float, float]]) -> None:
    for requests, (fails, passes) in row.items():
        found = power(PLAN, rate, requests)
        assert 100 * found.fails == pytest.approx(fails, abs=0.55)
        assert 100 * found.passes == pytest.approx(passes, abs=0.55)
        assert found.fails + found.passes + found.open == pytest.approx(1.0)


def documented(heading: str) -> list[list[float]]:
    """Return the numbers of the table in docs/verdict.md whose first column is called like this."""
    lines = (Path(__file__).parents[3] / "docs" / "verdict.md").read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading}"))
    rows = takewhile(lambda line: line.startswith("|"), lines[start + 2 :])
    return [[float(number) for number in re.findall(r"[\d.]+", row)] for row in rows]


def test_the_documentation_has_the_numbers_of_the_code() -> None:
    assert [[errors, PLAN.within(int(errors))] for errors, _ in documented("The canary fails")] == documented(
        "The canary fails"
    )
    for rate, *row in documented("True error rate"):
        found = [power(PLAN, rate / 100, requests) for requests in (18, 90, 450)]
        exact = [100 * share for each in found for share in (each.fails, each.passes, each.open)]
        assert row == pytest.approx(exact, abs=0.55)
    shares = [(numbers[:-1], numbers[-1]) for numbers in documented("Errors on both sides")]
    for totals, least in shares:
        for total in range(int(totals[0]), int(totals[-1]) + 1):
            assert log_e_value(least, total, 0.1) >= math.log(100) > log_e_value(least - 1, total, 0.1)


def test_the_preflight_shows_what_the_canary_can_detect() -> None:
    assert expectation(90, PLAN).sentence() == (
        "with 90 expected canary requests we detect ≥ 5 % errors with 88 %"
    )
    few = canary_expectation(load_environment("production", variables={}), per_second=0.2)
    assert (few.requests, few.can_pass) == (18, False)
    assert "too few for the canary to pass: 60 requests without an error are needed" in few.sentence()
    many = canary_expectation(load_environment("production", variables={}), per_second=5.0)
    assert (many.requests, many.can_pass) == (450, True)


def test_the_preflight_uses_the_error_rates_of_the_settings() -> None:
    variables = {"SAMJHADOO_CANARY__FALSE_ALARM": "0.0001", "SAMJHADOO_CANARY__MISS": "0.2"}
    cautious = canary_expectation(load_environment("production", variables=variables), per_second=1.0)
    usual = canary_expectation(load_environment("production", variables={}), per_second=1.0)
    assert (usual.clean, cautious.clean) == (60, 32)
    assert cautious.detection < usual.detection


def test_a_release_that_turns_bad_after_it_was_accepted_is_found() -> None:
    good = [(40, 0)] * 15
    assert examine(PLAN, good).accepted
    found = examine(PLAN, [*good, (40, 2), (40, 2)])
    assert found.rejected
    assert min(requests for requests, _ in found.alarms) <= 120  # of the bad time, not of the good one


def test_a_healthy_release_is_hardly_ever_blamed_during_a_long_bake() -> None:
    """One request per second for an hour, at the objective's rate; Page's CUSUM would reject one in seven."""
    chance = Chance(4)
    runs = 200
    false = sum(
        examine(PLAN, [(60, chance.binomial(60, 0.001)) for _ in range(60)]).rejected for _ in range(runs)
    )
    assert false <= runs * 0.03


@settings(max_examples=50, deadline=None)
@given(minutes, st.data())
def test_one_more_error_never_makes_an_alarm_disappear(
    batches: list[tuple[int, int]], data: st.DataObject
) -> None:
    places = [number for number, (requests, errors) in enumerate(batches) if errors < requests]
    if not places:
        return
    at = data.draw(st.sampled_from(places))
    worse = [(n, e + (number == at)) for number, (n, e) in enumerate(batches)]
    before, after = examine(PLAN, batches), examine(PLAN, worse)
    assert after.rejected >= before.rejected
    assert after.accepted <= before.accepted


@settings(max_examples=40, deadline=None)
@given(minutes)
def test_what_was_rejected_stays_rejected(batches: list[tuple[int, int]]) -> None:
    seen = [examine(PLAN, batches[:end]).rejected for end in range(len(batches) + 1)]
    assert seen == sorted(seen)


@pytest.mark.parametrize("n", [1, 5, 40, 300])
@pytest.mark.parametrize("p", [0.001, 0.1, 0.5, 0.97])
def test_the_tail_of_the_beta_function_is_that_of_a_binomial(n: int, p: float) -> None:
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
def test_both_sides_of_the_beta_function_add_up_to_one(a: float, b: float) -> None:
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
