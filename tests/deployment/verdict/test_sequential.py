"""Wald's test against the table that operators check by hand, and against its exact power."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_runs import Chance

from samjhadoo_ops.deployment.verdict import canary_expectation, expectation
from samjhadoo_ops.deployment.verdict.power import power
from samjhadoo_ops.deployment.verdict.sequential import Sprt, examine
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
def test_so_many_errors_within_so_many_requests_are_rejected_and_in_one_more_they_are_not(
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


def test_the_preflight_tells_what_the_canary_can_detect() -> None:
    assert expectation(90, PLAN).sentence() == (
        "with 90 expected canary requests we detect ≥ 5 % errors with 88 %"
    )
    few = canary_expectation(load_environment("production", variables={}), per_second=0.2)
    assert (few.requests, few.can_pass) == (18, False)
    assert "cannot pass on evidence: 60 clean requests are needed" in few.sentence()
    many = canary_expectation(load_environment("production", variables={}), per_second=5.0)
    assert (many.requests, many.can_pass) == (450, True)


def test_a_release_that_turns_bad_after_it_was_accepted_is_found() -> None:
    good = [(40, 0)] * 15
    assert examine(PLAN, good).accepted
    found = examine(PLAN, [*good, (40, 2), (40, 2)])
    assert found.rejected
    assert min(requests for requests, _ in found.alarms) <= 120  # told of the bad time, not of the good one


def test_a_healthy_release_is_hardly_ever_blamed_during_a_long_bake() -> None:
    """One request per second for an hour, at the promised rate; Page's CUSUM would blame one in seven."""
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
