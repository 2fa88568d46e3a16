"""In which order services start, and what keeps one from it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_ops.services.deploy_all import REGARDLESS, Schedule, among, known, most_severe, reversed_order

CHAIN = {"web": ["api"], "api": [], "worker": ["api"], "mail": ["worker"], "cron": []}


def play(order, *, failing=(), parallel=2, on_failure="stop"):
    """Let the services end one by one in the order they began; return what happened."""
    schedule, started = Schedule(order, parallel=parallel, on_failure=on_failure), []
    while not schedule.over:
        for name in schedule.due():
            schedule.start(name)
            started.append(name)
        assert len(schedule.running) <= parallel
        schedule.end(schedule.running[0], well=schedule.running[0] not in failing)
    return started, {name: schedule.barred(name) for name in schedule.waiting}


@pytest.mark.parametrize(
    ("parallel", "started"),
    [(1, ["api", "web", "worker", "mail", "cron"]), (2, ["api", "cron", "web", "worker", "mail"])],
)
def test_services_start_in_their_order(parallel, started):
    assert play(CHAIN, parallel=parallel) == (started, {})


@pytest.mark.parametrize("policy", ["stop", "rollback"])
def test_after_a_failure_nothing_more_starts(policy):
    because = "api did not succeed"
    assert play(CHAIN, failing={"api"}, on_failure=policy) == (
        ["api", "cron"],
        dict.fromkeys(["web", "worker", "mail"], because),
    )


def test_continue_starts_services_that_do_not_come_after_the_failed_one():
    started, left = play(CHAIN, failing={"worker"}, parallel=1, on_failure="continue")
    assert started == ["api", "web", "worker", "cron"]
    assert left == {"mail": "it comes after worker, which did not succeed"}
    _, left = play(CHAIN, failing={"api"}, parallel=1, on_failure="continue")
    assert left["mail"] == "it comes after api, which did not succeed"


def test_regardless_of_failures_the_order_is_kept():
    assert play(CHAIN, failing=set(CHAIN), on_failure=REGARDLESS)[1] == {}


def test_some_services_keep_their_order_by_way_of_the_others():
    assert among(CHAIN, {"mail", "api"}) == {"api": set(), "mail": {"api"}}
    assert among(CHAIN, []) == {}


def test_the_reverse_order_begins_with_the_last():
    assert play(reversed_order(CHAIN), parallel=1)[0] == ["cron", "mail", "worker", "web", "api"]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_every_service_ends_or_is_barred_and_none_starts_too_early(data):
    names = [f"s{number}" for number in range(data.draw(st.integers(1, 7)))]
    earlier = {name: names[:at] for at, name in enumerate(names)}
    order = {
        name: data.draw(st.sets(st.sampled_from(some))) if some else set() for name, some in earlier.items()
    }
    failing = data.draw(st.sets(st.sampled_from(names)))
    policy = data.draw(st.sampled_from(["stop", "continue", "rollback"]))
    started, left = play(order, failing=failing, parallel=data.draw(st.integers(1, 3)), on_failure=policy)
    assert sorted([*started, *left]) == names
    assert all(left.values())
    for at, name in enumerate(started):
        assert order[name] <= set(started[:at]) - failing


@pytest.mark.parametrize(
    ("codes", "most_severe_code"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 2], 2),
        ([2, 3], 3),
        ([3, 6], 6),
        ([6, 4], 4),
        ([4, 130], 130),
        ([4, 1], 1),
        ([1, 5], 5),
        ([143, 5, 0], 5),
        ([4, -9], 5),
        ([4, 77], 1),
    ],
)
def test_the_most_severe_exit_code_is_returned(codes, most_severe_code):
    assert most_severe(codes) == most_severe_code
    assert most_severe(reversed(codes)) == most_severe_code


def test_a_killed_process_needs_a_person():
    assert known(-9) == 5
