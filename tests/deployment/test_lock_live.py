"""The lock on a live S3: conditional writes, lost answers, and fifty who want it at the same instant."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.aws import Aws
from samjhadoo_ops.deployment.lock import DeploymentLock, read_lock
from samjhadoo_ops.deployment.objects import Conflict, S3Objects
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_emulator.testing import Emulator

CONTENDERS = 50
LOST = [pytest.param({}, id="5xx"), pytest.param({"close": True}, id="closed")]


@pytest.fixture(scope="module")
def local(shared_emulator: Callable[..., Emulator]) -> Emulator:
    """A local AWS with a bucket."""
    emulator = shared_emulator(minute=0.05, runtime="noop")
    emulator.client("s3").create_bucket(
        Bucket="journal", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    return emulator


@pytest.fixture
def objects(local: Emulator) -> Iterator[S3Objects]:
    aws = Aws(load_environment("local", variables={}), local.url)
    yield S3Objects(aws.client("s3"), "journal")
    local.faults.clear()


def lock(objects: S3Objects, key: str) -> DeploymentLock:
    return DeploymentLock(objects, key, lease=60, reason="deploy", now=datetime.now(UTC))


def test_of_fifty_at_the_same_instant_exactly_one_wins_and_the_others_name_it(objects: S3Objects) -> None:
    start = threading.Barrier(CONTENDERS)

    def attempt(_: int) -> DeploymentLock | str:
        mine = lock(objects, "raced.json")
        start.wait()
        try:
            mine.acquire()
        except Refused as refusal:
            return refusal.message
        return mine

    with ThreadPoolExecutor(CONTENDERS) as pool:
        answers = list(pool.map(attempt, range(CONTENDERS)))
    won = [answer for answer in answers if isinstance(answer, DeploymentLock)]
    assert len(won) == 1
    assert all(str(won[0].owner) in answer for answer in answers if isinstance(answer, str))
    won[0].release()


@pytest.mark.parametrize("how", LOST)
def test_a_lock_whose_taking_is_not_answered_is_taken(
    local: Emulator, objects: S3Objects, how: dict[str, bool]
) -> None:
    key = f"lost{len(how)}.json"
    taking = local.faults.lose_response("s3", skip=1, count=1, **how)  # the first request looks who has it
    with lock(objects, key) as mine:
        assert taking.struck is None  # it has, and is over
        assert not mine.lost
        with local.faults.lose_response("s3", count=1, **how) as fault:
            mine.note(deployment="arn:one")
            assert fault.struck is None
        mine.ensure()
    found = read_lock(objects, key)
    assert found is not None
    assert (found[0].deployment, found[0].released) == ("arn:one", True)


@pytest.mark.parametrize("how", LOST)
def test_an_event_whose_answer_is_lost_is_written_once(
    local: Emulator, objects: S3Objects, how: dict[str, bool]
) -> None:
    key = f"event{len(how)}.json"
    with local.faults.lose_response("s3", count=1, **how) as fault:
        objects.create(key, b"one")
        assert fault.struck is None
    with pytest.raises(Conflict):
        objects.create(key, b"two")
    found = objects.read(key)
    assert found is not None
    assert found.body == b"one"
