from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from samjhadoo_ops.deployment.lock import DeploymentLock, break_lock, current_owner, read_lock
from samjhadoo_ops.errors import PersonNeeded, Refused

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def lock(objects: MemoryObjects, *, lease: float = 60.0, reason: str = "deploy") -> DeploymentLock:
    return DeploymentLock(objects, "lock.json", lease=lease, reason=reason, now=NOW)


def test_a_held_lock_refuses_the_next_run_and_names_its_owner(objects: MemoryObjects) -> None:
    with lock(objects, reason="deploy of v1") as first:
        first.note(deployment="arn:one")
        with pytest.raises(Refused, match="deploy of v1") as refusal:
            lock(objects).acquire()
    assert first.owner.user in refusal.value.message
    assert refusal.value.details == ("service deployment: arn:one",)


def test_a_released_lock_is_free_and_its_token_grows(objects: MemoryObjects) -> None:
    with lock(objects) as first:
        pass
    with lock(objects) as second:
        assert second.owner.token == first.owner.token + 1


def test_a_lock_is_released_when_its_block_fails(objects: MemoryObjects) -> None:
    with pytest.raises(ValueError, match="boom"), lock(objects):
        raise ValueError("boom")
    found = read_lock(objects, "lock.json")
    assert found is not None
    assert found[0].released


def test_an_expired_lock_is_taken_over_and_its_first_owner_notices(objects: MemoryObjects) -> None:
    first = lock(objects)
    first.acquire()
    objects.age("lock.json", 61.0)
    with lock(objects) as second:
        assert second.owner.token == first.owner.token + 1
        first.note(deployment="arn:late")
        assert first.lost
        first.release()
        found = read_lock(objects, "lock.json")
        assert found is not None
        assert not found[0].released


def test_of_fifty_at_once_exactly_one_gets_the_lock(objects: MemoryObjects) -> None:
    start = threading.Barrier(50)

    def attempt(_: int) -> DeploymentLock | None:
        mine = lock(objects)
        start.wait()
        try:
            mine.acquire()
        except Refused:
            return None
        return mine

    with ThreadPoolExecutor(50) as pool:
        won = [found for found in pool.map(attempt, range(50)) if found]
    assert len(won) == 1
    won[0].release()


def test_of_many_that_find_an_expired_lock_exactly_one_takes_it_over(objects: MemoryObjects) -> None:
    lock(objects).acquire()
    objects.age("lock.json", 61.0)
    start = threading.Barrier(8)

    def attempt(_: int) -> bool:
        start.wait()
        try:
            lock(objects).acquire()
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_a_held_lock_is_renewed(objects: MemoryObjects) -> None:
    with lock(objects, lease=0.06):
        assert objects.wait_for_writes("lock.json", 3)
    found = read_lock(objects, "lock.json")
    assert found is not None
    assert found[0].renewals >= 2


def test_breaking_a_lock_returns_who_held_it(objects: MemoryObjects) -> None:
    assert break_lock(objects, "lock.json") is None
    held = lock(objects, reason="deploy of v1")
    held.acquire()
    former = break_lock(objects, "lock.json")
    assert former is not None
    assert former.reason == "deploy of v1"
    assert break_lock(objects, "lock.json") is None
    held.release()


def test_the_lock_is_plain_json_for_other_tools(objects: MemoryObjects) -> None:
    with lock(objects):
        stored = objects.read("lock.json")
        assert stored is not None
        assert {"user", "host", "pid", "reason", "acquired"} <= set(msgspec.json.decode(stored.body))


def test_a_lock_whose_process_is_surely_gone_is_taken_at_once(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lock(objects, reason="a deploy that was killed")
    first.acquire()
    assert current_owner(objects, "lock.json") == first.owner
    monkeypatch.setattr("samjhadoo_ops.deployment.lock.is_gone", lambda *_: True)
    assert current_owner(objects, "lock.json") is None
    with lock(objects) as second:
        assert second.former is not None
        assert second.former.reason == "a deploy that was killed"
        assert second.token == first.token + 1


def test_waiting_for_a_lock_ends_when_it_is_released_and_names_the_owner_once(
    objects: MemoryObjects,
) -> None:
    told: list[str] = []
    first = lock(objects, reason="deploy of v1")
    first.acquire()

    def tell(text: str) -> None:
        told.append(text)
        threading.Timer(0.2, first.release).start()

    second = DeploymentLock(
        objects, "lock.json", lease=60, reason="next", now=NOW, patience=30, pause=0.05, report=tell
    )
    with second:
        assert second.token == 2
    assert len(told) == 1
    assert "deploy of v1" in told[0]


def test_waiting_for_a_lock_has_an_end(objects: MemoryObjects) -> None:
    with lock(objects), pytest.raises(Refused, match="held by"):
        DeploymentLock(
            objects, "lock.json", lease=60, reason="n", now=NOW, patience=0.2, pause=0.05
        ).acquire()


def test_an_owner_that_could_not_renew_in_time_stops_before_another_may_begin(
    objects: MemoryObjects,
) -> None:
    now = [1000.0]
    mine = DeploymentLock(objects, "lock.json", lease=60, reason="deploy", now=NOW, read=lambda: now[0])
    with mine:
        now[0] += 50
        mine.ensure()
        now[0] += 5
        with pytest.raises(PersonNeeded, match="could not be renewed"):
            mine.ensure()
        mine.note(deployment="arn:one")  # a renewal that got through after all
        mine.ensure()


def test_the_lease_that_the_owner_wrote_counts_by_the_store_s_clock_alone(objects: MemoryObjects) -> None:
    with lock(objects, lease=600):
        objects.age("lock.json", 500)
        with pytest.raises(Refused, match="held by"):
            lock(objects, lease=1).acquire()


def test_a_renewal_whose_answer_was_lost_does_not_lose_the_lock(objects: MemoryObjects) -> None:
    with lock(objects) as mine:
        found = read_lock(objects, "lock.json")
        assert found is not None
        renewed = msgspec.structs.replace(found[0], renewals=7)
        objects.replace("lock.json", msgspec.json.encode(renewed), etag=found[1].etag)
        mine.note(deployment="arn:one")
        assert not mine.lost
    found = read_lock(objects, "lock.json")
    assert found is not None
    assert (found[0].deployment, found[0].released) == ("arn:one", True)


def test_a_broken_lock_is_lost_to_its_owner(objects: MemoryObjects) -> None:
    mine = lock(objects)
    mine.acquire()
    break_lock(objects, "lock.json")
    mine.note(deployment="arn:late")
    assert mine.lost
    with pytest.raises(PersonNeeded, match="taken over"):
        mine.ensure()
    mine.release()
