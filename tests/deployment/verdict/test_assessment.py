"""Which evidence makes which verdict: tables, properties, and simulations of false alarms and detection."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from verdict_runs import Chance, bake, minutes, plan

from samjhadoo_ops.deployment.outcome import Opinion
from samjhadoo_ops.deployment.verdict.assessment import assess, thresholds_of
from samjhadoo_ops.deployment.verdict.counts import Counts, Minute
from samjhadoo_ops.environment import load_environment

PLAN = plan()
GOOD = (6, 0)
BASE = (54, 0)
BAD_BASE = (54, 3)
FAIL, PASS = Opinion.FAIL, Opinion.PASS
OPEN, ENVIRONMENT = Opinion.INCONCLUSIVE, Opinion.ENVIRONMENT


def slow(requests: int, slow: int) -> Counts:
    return Counts(requests=requests, slow=slow)


@pytest.mark.parametrize(
    ("given", "opinion", "signal"),
    [
        pytest.param([], OPEN, "errors", id="nothing at all"),
        pytest.param(minutes(*[(0, 0)] * 15), OPEN, "errors", id="no traffic"),
        pytest.param(minutes(*[GOOD] * 15, baseline=BASE), PASS, "errors", id="healthy"),
        pytest.param(minutes(*[(3, 0)] * 15, baseline=(27, 0)), OPEN, "errors", id="healthy, few requests"),
        pytest.param(minutes((6, 1), *[GOOD] * 9, baseline=BASE), OPEN, "errors", id="one error"),
        pytest.param(minutes((6, 1), *[GOOD] * 30, baseline=BASE), PASS, "errors", id="one error, long ago"),
        pytest.param(minutes(*[(6, 1)] * 3, baseline=BASE), FAIL, "errors", id="errors on the canary only"),
        pytest.param(minutes(*[(6, 1)] * 9, baseline=(54, 9)), ENVIRONMENT, "errors", id="both bad"),
        pytest.param(
            minutes(*[(6, 3)] * 9, baseline=BAD_BASE), FAIL, "errors", id="canary worse than a bad base"
        ),
        pytest.param(minutes(*[GOOD] * 15, baseline=BAD_BASE), PASS, "errors", id="only the base is bad"),
        pytest.param(
            minutes(*[slow(6, 3)] * 5, baseline=slow(54, 0)), FAIL, "latency", id="slow on the canary only"
        ),
        pytest.param(
            minutes(*[slow(6, 3)] * 15, baseline=slow(54, 27)), ENVIRONMENT, "latency", id="both slow"
        ),
        pytest.param(
            minutes(*[Counts(requests=6, unanswered=1)] * 4, baseline=BASE), FAIL, "no answer", id="hanging"
        ),
        pytest.param(
            minutes(*[Counts(requests=6, unanswered=1)] * 15, baseline=Counts(requests=54, unanswered=9)),
            PASS,
            "errors",
            id="clients give up on both",
        ),
        pytest.param(minutes(*[(30, 0)] * 15, baseline=(30, 0)), ENVIRONMENT, "share", id="stickiness"),
        pytest.param(minutes(*[(0, 0)] * 15, baseline=(60, 0)), ENVIRONMENT, "share", id="dead target group"),
        pytest.param(
            [
                *minutes(*[GOOD] * 14, baseline=BASE),
                Minute(at=840.0, weight=10.0, settled=True, baseline=Counts(requests=900)),
            ],
            PASS,
            "errors",
            id="a late batch is no mismatch",
        ),
        pytest.param(minutes(*[(30, 3)] * 5, baseline=(30, 0)), FAIL, "errors", id="bad and mis-shared"),
        pytest.param(
            [*minutes(*[GOOD] * 15, baseline=BASE), *bake((60, 0), (60, 4))],
            FAIL,
            "errors",
            id="bad in the bake",
        ),
        pytest.param(
            [*minutes(*[GOOD] * 15, baseline=BASE), *bake(*[(60, 0)] * 50, (60, 2), (60, 2), (60, 3))],
            FAIL,
            "errors",
            id="bad late in the bake",
        ),
        pytest.param(
            [*minutes(*[(60, 0)] * 15, baseline=(540, 8)), *bake(*[(600, 9)] * 60)],
            ENVIRONMENT,
            "errors",
            id="in the bake time as bad as the previous release",
        ),
        pytest.param(
            [*minutes(*[GOOD] * 15, baseline=BASE), *bake(*[(60, 0)] * 3, lost=5)],
            FAIL,
            "errors",
            id="time-outs in the bake",
        ),
        pytest.param(
            [
                Minute(
                    at=60.0 * n, weight=10.0, canary=Counts(requests=6), baseline=Counts(requests=54), lost=3
                )
                for n in range(15)
            ],
            ENVIRONMENT,
            "load balancer",
            id="the load balancer fails for neither",
        ),
    ],
)
def test_evidence_makes_a_verdict(given: list[Minute], opinion: Opinion, signal: str) -> None:
    verdict = assess(given, PLAN)
    assert (verdict.opinion, verdict.signal) == (opinion, signal), verdict.reason


def disturbed(kind: str, number: int) -> Minute:
    """Return a minute in which neither release is to blame: 60 requests, 6 of them on the canary."""
    lost = 3 if kind == "killed task" else 0
    canary, baseline = Counts(requests=6), Counts(requests=54)
    if kind == "database":
        canary, baseline = Counts(requests=6, errors=3), Counts(requests=54, errors=27)
    if kind == "slow database":
        canary, baseline = slow(6, 3), slow(54, 27)
    if kind == "sticky clients":
        canary, baseline = Counts(requests=30), Counts(requests=30)
    return Minute(at=60.0 * number, weight=10.0, settled=True, canary=canary, baseline=baseline, lost=lost)


def clean(first: int, count: int) -> list[Minute]:
    return [
        replace(each, at=60.0 * (first + n)) for n, each in enumerate(minutes(*[GOOD] * count, baseline=BASE))
    ]


@pytest.mark.parametrize(
    ("kind", "lasting"),
    [("killed task", 1), ("killed task", 2), ("database", 4), ("slow database", 4), ("sticky clients", 4)],
)
@pytest.mark.parametrize("before", [0, 2, 4])
def test_a_disturbance_holds_a_canary_only_until_it_is_over(kind: str, lasting: int, before: int) -> None:
    until = [*clean(0, before), *(disturbed(kind, before + n) for n in range(lasting))]
    assert assess(until, PLAN).opinion is ENVIRONMENT
    assert assess([*until, *clean(len(until), 4)], PLAN).opinion is ENVIRONMENT
    assert assess([*until, *clean(len(until), 20)], PLAN).opinion is PASS


@pytest.mark.parametrize("kind", ["killed task", "database", "slow database", "sticky clients"])
def test_a_disturbance_that_goes_on_holds_the_canary(kind: str) -> None:
    lasting = [*clean(0, 5), *(disturbed(kind, 5 + n) for n in range(30))]
    assert assess(lasting, PLAN).opinion is ENVIRONMENT
    returning = [*lasting, *clean(35, 6), *(disturbed(kind, 41 + n) for n in range(2))]
    assert assess(returning, PLAN).opinion is ENVIRONMENT


def test_a_blip_excuses_no_errors_of_the_canary_itself() -> None:
    blip = [*clean(0, 4), disturbed("killed task", 4), *clean(5, 6)]
    bad = [replace(each, at=660.0 + each.at) for each in minutes(*[(6, 1)] * 6, baseline=BASE)]
    assert assess([*blip, *bad], PLAN).opinion is FAIL
    few = [replace(each, at=660.0 + each.at) for each in minutes(*[(1, 0)] * 10, baseline=(59, 0))]
    assert assess([disturbed("killed task", 0), *few[:9]], PLAN).opinion is not PASS


def test_three_lost_requests_of_697_do_not_hold_a_good_canary_to_its_end() -> None:
    counted = [
        (5, 49),
        (6, 52),
        (7, 51),
        (5, 55),
        (6, 53),
        (6, 51),
        (5, 52),
        (6, 54),
        (7, 53),
        (5, 54),
        (6, 53),
    ]
    made = [
        Minute(at=60.0 * n, weight=10.0, canary=Counts(requests=on), baseline=Counts(requests=beside))
        for n, (on, beside) in enumerate(counted)
    ]
    made[2] = replace(made[2], lost=3)
    assert assess(made[:3], PLAN).opinion is ENVIRONMENT
    assert assess(made, PLAN).opinion is PASS


def test_a_failure_shows_metric_value_threshold_window_sample_and_baseline() -> None:
    verdict = assess(minutes(*[(6, 1)] * 5, baseline=(54, 0)), PLAN)
    assert verdict.reason == (
        "errors: 16.7 % of 30 canary requests failed (5) in 5 min, limit 5 %, objective 0.1 %; "
        "baseline 0 of 270"
    )
    assert verdict.numbers() == {
        "opinion": "FAIL",
        "signal": "errors",
        "observed": pytest.approx(1 / 6),
        "threshold": 0.05,
        "window": 300.0,
        "sample": 30,
        "baseline": 0.0,
    }


def test_too_few_requests_are_inconclusive_and_the_reason_says_so() -> None:
    told = assess(minutes(*[(0, 0)] * 15), PLAN).reason
    assert told == "errors: 0 canary requests failed (0) in 15 min, limit 5 %; 60 without an error would pass"


@pytest.mark.parametrize("pairs", [[(0, 0)] * 15, [(6, 6)] * 5, [(60, 0)] * 5])
def test_minutes_of_an_emulated_clock_are_called_so(pairs: list[tuple[int, int]]) -> None:
    emulated = thresholds_of(load_environment("local", variables={}))
    assert f" in {len(pairs)} emulated min, " in assess(minutes(*pairs), emulated).reason
    assert f" in {len(pairs)} min, " in assess(minutes(*pairs), PLAN).reason


def test_synthetic_requests_are_judged_apart() -> None:
    sent = [Minute(at=0.0, weight=10.0, synthetic=Counts(requests=100, errors=errors)) for errors in (0, 4)]
    assert assess(sent[:1], PLAN).opinion is PASS
    assert "all synthetic" in assess(sent[:1], PLAN).reason
    assert assess(sent[1:], PLAN).opinion is FAIL


def test_payment_outcomes_are_a_signal_where_they_are_counted() -> None:
    from dataclasses import replace

    from samjhadoo_ops.deployment.verdict.evidence import Sprt

    paid = replace(PLAN, payments=Sprt(0.01, 0.1))
    bad = minutes(
        *[Counts(requests=6, deliveries=2, failures=1)] * 5, baseline=Counts(requests=54, deliveries=18)
    )
    assert assess(bad, PLAN).opinion is not FAIL
    assert (assess(bad, paid).opinion, assess(bad, paid).signal) == (FAIL, "payments")


def test_the_plans_own_rule_needs_a_full_window_and_enough_requests() -> None:
    from dataclasses import replace

    literal = replace(PLAN, literal_requests=20)
    lenient = replace(literal, errors=replace(PLAN.errors, p0=0.04), alpha=1e-9)
    five = minutes(*[(20, 2)] * 5, baseline=(180, 4))
    assert assess(five, lenient).reason.startswith(
        "errors: 10.0 % of 100 canary requests failed (10) in 5 min"
    )
    assert "plan 6.1" in assess(five, lenient).reason
    assert assess(five[:4], lenient).opinion is not FAIL
    assert assess(minutes(*[(3, 1)] * 5), lenient).opinion is not FAIL


def share(opinion: Opinion, base: float, new: float, rps: float, *, runs: int = 200) -> float:
    chance = Chance(7)
    return sum(assess(chance.canary(base, new, rps), PLAN).opinion is opinion for _ in range(runs)) / runs


@pytest.mark.parametrize(
    ("new", "rps", "least"),
    [(0.05, 1.0, 0.85), (0.2, 1.0, 0.99), (0.05, 5.0, 0.92), (0.2, 0.2, 0.83)],
)
def test_simulated_bad_canaries_are_found_as_often_as_the_table_says(
    new: float, rps: float, least: float
) -> None:
    assert share(FAIL, 0.001, new, rps) >= least


@pytest.mark.parametrize("rps", [0.2, 1.0, 5.0])
def test_simulated_good_canaries_are_hardly_ever_blamed(rps: float) -> None:
    assert share(FAIL, 0.001, 0.001, rps) <= 0.02


def test_a_simulated_outage_of_both_hardly_ever_blames_the_canary() -> None:
    assert share(FAIL, 0.2, 0.2, 1.0) <= 0.1
    assert share(ENVIRONMENT, 0.2, 0.2, 1.0) >= 0.85


def test_a_simulated_canary_without_enough_traffic_never_passes() -> None:
    assert share(PASS, 0.001, 0.001, 0.2) == 0.0


at_most_six = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3)), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(at_most_six, st.data())
def test_one_more_error_on_the_canary_never_makes_a_failure_pass(
    pairs: list[tuple[int, int]], data: st.DataObject
) -> None:
    canary = [(requests, min(errors, requests)) for requests, errors in pairs]
    at = data.draw(st.integers(0, len(canary) - 1))
    requests, errors = canary[at]
    worse = [*canary[:at], (requests, min(requests, errors + 1)), *canary[at + 1 :]]
    before = assess(minutes(*canary, baseline=(54, 1)), PLAN).opinion
    after = assess(minutes(*worse, baseline=(54, 1)), PLAN).opinion
    if before is FAIL:
        assert after is FAIL
    if after is PASS:
        assert before is PASS


@settings(max_examples=40, deadline=None)
@given(at_most_six)
def test_every_verdict_has_its_numbers(pairs: list[tuple[int, int]]) -> None:
    verdict = assess(minutes(*pairs), PLAN)
    assert verdict.reason
    assert verdict.numbers()["opinion"] == verdict.opinion.name


def test_the_thresholds_are_the_plans() -> None:
    env = load_environment("production", variables={})
    assert (PLAN.errors.p0, PLAN.errors.p1) == pytest.approx((0.001, 0.05))
    assert (PLAN.slow.p0, PLAN.slow.p1, PLAN.slow_above) == pytest.approx((0.01, 0.05, 0.5))
    assert (PLAN.literal_rate, PLAN.literal_minutes, PLAN.weight) == (0.05, 5, 0.1)
    assert env.canary.inconclusive[-1] == "rollback"
