from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.journal import FINISHED, Journal
from samjhadoo_ops.deployment.objects import Conflict

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects


@pytest.fixture
def journal(objects: MemoryObjects) -> Journal:
    return Journal(objects, prefix="deployments/", environment="local", service="samjhadoo-service")


def test_events_are_read_back_in_order_with_their_data(journal: Journal) -> None:
    recorder = journal.recorder("deploy", Clock(), release="abc")
    recorder.write("starting", task_definition="family:7")
    recorder.write(FINISHED, outcome="succeeded")
    (entry,) = journal.entries()
    assert [event.event for event in entry.events] == ["started", "starting", "finished"]
    assert entry.data["release"] == "abc"
    assert entry.data["task_definition"] == "family:7"
    assert entry.outcome == "succeeded"


def test_a_deployment_without_an_end_is_unfinished(journal: Journal) -> None:
    journal.recorder("deploy", Clock())
    (entry,) = journal.entries()
    assert entry.outcome == "unfinished"
    assert entry.finished is None


def test_the_newest_deployments_come_first(journal: Journal) -> None:
    times = iter([100.0, 100.0, 200.0, 200.0, 300.0, 300.0])
    clock = Clock(read=lambda: next(times))
    made = [journal.recorder("deploy", clock).deploy for _ in range(3)]
    assert [entry.deploy for entry in journal.entries()] == made[::-1]
    assert [entry.deploy for entry in journal.entries(limit=1)] == made[-1:]


def test_an_event_is_never_written_over(journal: Journal, objects: MemoryObjects) -> None:
    recorder = journal.recorder("deploy", Clock())
    key = next(iter(objects.keys(journal.prefix)))
    with pytest.raises(Conflict):
        objects.create(key, b"{}")
    assert recorder.deploy in key


def test_the_lock_is_no_deployment(journal: Journal, objects: MemoryObjects) -> None:
    objects.create(journal.lock_key, b"{}")
    assert journal.entries() == []
