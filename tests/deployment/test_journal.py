from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.journal import FINISHED, LEFT, DeploymentJournal
from samjhadoo_ops.deployment.objects import Conflict

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects


@pytest.fixture
def journal(objects: MemoryObjects) -> DeploymentJournal:
    return DeploymentJournal(objects, prefix="deployments/", environment="local", service="samjhadoo-service")


def test_events_are_read_back_in_order_with_their_data(journal: DeploymentJournal) -> None:
    recorder = journal.recorder("deploy", Clock(), release="abc")
    recorder.write("starting", task_definition="family:7")
    recorder.write(FINISHED, outcome="succeeded")
    (entry,) = journal.entries()
    assert [event.event for event in entry.events] == ["started", "starting", "finished"]
    assert entry.data["release"] == "abc"
    assert entry.data["task_definition"] == "family:7"
    assert entry.outcome == "succeeded"


def test_a_deployment_without_an_end_is_unfinished(journal: DeploymentJournal) -> None:
    journal.recorder("deploy", Clock())
    (entry,) = journal.entries()
    assert entry.outcome == "unfinished"
    assert entry.finished is None


def test_the_newest_deployments_come_first(journal: DeploymentJournal) -> None:
    times = iter([100.0, 100.0, 200.0, 200.0, 300.0, 300.0])
    clock = Clock(read=lambda: next(times))
    made = [journal.recorder("deploy", clock).deploy for _ in range(3)]
    assert [entry.deploy for entry in journal.entries()] == made[::-1]
    assert [entry.deploy for entry in journal.entries(limit=1)] == made[-1:]


def test_an_event_is_never_written_over(journal: DeploymentJournal, objects: MemoryObjects) -> None:
    recorder = journal.recorder("deploy", Clock())
    key = next(iter(objects.keys(journal.prefix)))
    with pytest.raises(Conflict):
        objects.create(key, b"{}")
    assert recorder.deploy in key


def test_the_lock_is_no_deployment(journal: DeploymentJournal, objects: MemoryObjects) -> None:
    objects.create(journal.lock_key, b"{}")
    assert journal.entries() == []


def test_a_journal_is_reopened_where_it_stopped_and_shows_who_wrote(journal: DeploymentJournal) -> None:
    journal.recorder("deploy", Clock(), token=1).write("starting", task_definition="family:7")
    now = datetime.now(UTC)
    (entry,) = journal.past(now).unfinished()
    again = journal.reopen(entry, Clock(), token=2)
    again.write("resumed")
    again.write(FINISHED, outcome="succeeded")
    assert journal.past(now).unfinished() == []
    found = journal.entry(entry.deploy)
    assert found is not None
    assert [(event.number, event.event, event.token) for event in found.events] == [
        (0, "started", 1),
        (1, "starting", 1),
        (2, "resumed", 2),
        (3, "finished", 2),
    ]


def test_a_deployment_that_was_left_is_unfinished_and_shows_where(journal: DeploymentJournal) -> None:
    journal.recorder("deploy", Clock()).write(LEFT, outcome="left canary")
    (entry,) = journal.past().unfinished()
    assert (entry.outcome, entry.finished) == ("left canary", None)


def test_what_ecs_has_forgotten_is_not_looked_for(journal: DeploymentJournal) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    journal.recorder("deploy", Clock(read=long_ago.timestamp))
    assert journal.past().unfinished() == []
    assert len(journal.entries()) == 1


def test_there_is_no_entry_of_an_unknown_deploy(journal: DeploymentJournal) -> None:
    assert journal.entry("20260101T000000000000Z-0000") is None
