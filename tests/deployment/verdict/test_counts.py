"""Minutes put together from what was counted and what the tool itself sent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_ops.deployment.verdict.counts import Counts, Ledger, OwnTraffic, Reading


def ledger(own: OwnTraffic | None = None, *, since: float = 30.0) -> Ledger:
    return Ledger(since, 10.0, own or OwnTraffic())


def reading(requests: int, errors: int = 0) -> Reading:
    return Reading(canary=Counts(requests=requests, errors=errors), baseline=Counts(requests=9 * requests))


def test_the_first_minute_is_the_first_whole_one() -> None:
    book = ledger(since=30.0)
    book.take({0.0: reading(5), 60.0: reading(7)})
    assert [(minute.at, minute.canary.requests) for minute in book.minutes(180.0)] == [(60.0, 7), (120.0, 0)]


def test_a_later_count_of_a_minute_replaces_the_earlier_one() -> None:
    book = ledger()
    book.take({60.0: reading(3)})
    book.take({60.0: reading(8, 1)})
    assert book.minutes(120.0)[0].canary == Counts(requests=8, errors=1)


def test_only_minutes_that_have_ended_are_returned() -> None:
    assert [len(ledger().minutes(until)) for until in (0.0, 119.9, 120.0, 240.0)] == [0, 0, 1, 3]


def test_shares_are_not_compared_right_after_a_shift() -> None:
    book = ledger(since=60.0)
    book.shift(330.0, 10.0)
    book.shift(600.0, 100.0)
    minutes = book.minutes(1200.0)
    assert [minute.at for minute in minutes if minute.settled and minute.shared] == [
        240,
        300,
        360,
        420,
        480,
        540,
    ]
    assert [minute.weight for minute in minutes][8:10] == [10.0, 100.0]


def test_own_probes_are_subtracted_even_when_they_are_counted_late() -> None:
    own = OwnTraffic()
    for at in (61.0, 121.0, 181.0):
        own.note(at, error=at == 121.0)
    book = ledger(own)
    book.take({60.0: reading(0), 120.0: reading(0), 180.0: reading(10, 2)})
    minutes = book.minutes(240.0)
    assert [minute.canary.requests for minute in minutes] == [0, 0, 7]
    assert minutes[-1].canary.errors == 1


def test_production_probes_are_subtracted_once_one_release_has_all_traffic() -> None:
    own = OwnTraffic()
    for at in (61.0, 121.0):
        own.note(at, error=False, shared=True)
    book = ledger(own)
    book.shift(120.0, 100.0)
    book.take({60.0: reading(4), 120.0: reading(4)})
    assert [minute.canary.requests for minute in book.minutes(180.0)] == [4, 3]


def test_synthetic_requests_are_counted_apart() -> None:
    own = OwnTraffic()
    for number in range(20):
        own.note(70.0, error=number < 2, slow=number < 3, synthetic=True)
    book = ledger(own)
    book.take({60.0: reading(25, 2)})
    minute = book.minutes(120.0)[0]
    assert minute.canary.requests == 5
    assert minute.synthetic == Counts(requests=20, errors=2, slow=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 30)), max_size=12))
def test_nothing_is_subtracted_twice_and_nothing_becomes_negative(pairs: list[tuple[int, int]]) -> None:
    own, book = OwnTraffic(), None
    for number, (probes, _) in enumerate(pairs):
        for _ in range(probes):
            own.note(60.0 * number, error=False)
    book = Ledger(0.0, 10.0, own)
    book.take({60.0 * number: reading(counted) for number, (_, counted) in enumerate(pairs)})
    left = [minute.canary.requests for minute in book.minutes(60.0 * len(pairs))]
    assert all(requests >= 0 for requests in left)
    assert sum(left) >= sum(counted for _, counted in pairs) - sum(probes for probes, _ in pairs)
    assert all(kept <= counted for kept, (_, counted) in zip(left, pairs, strict=True))
