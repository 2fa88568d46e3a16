"""A rollback, a history and a status of a service with a long past: no request for each old deployment."""

from __future__ import annotations

from datetime import timedelta
from itertools import islice

import pytest
from deployment_fakes import CountingObjects
from past_deployments import FAMILY, past_of

from samjhadoo_ops.deployment.candidates import choose, successes
from samjhadoo_ops.deployment.rollback import schema_version, unsupported
from samjhadoo_ops.deployment.status import rows

AT_MOST = 20


@pytest.mark.parametrize("count", [2, 50, 200, 400])
@pytest.mark.parametrize("apart", [timedelta(seconds=20), timedelta(minutes=40), timedelta(days=1)], ids=str)
def test_a_rollback_picks_its_release_within_twenty_requests(count: int, apart: timedelta) -> None:
    objects = CountingObjects()
    journal, ecs, client = past_of(objects, count=count, apart=apart)
    past = journal.past()
    assert past.unfinished() == []
    target = choose(successes(ecs, past), past, current=ecs.serving())
    assert unsupported(past, target.task_definition) == []
    assert schema_version(past) == str(count - count % 5)
    assert target.task_definition == f"{FAMILY}:{count - 1}"
    assert objects.requests + client.requests <= AT_MOST


@pytest.mark.parametrize("apart", [timedelta(minutes=5), timedelta(hours=3), timedelta(days=1)], ids=str)
def test_the_requests_of_a_rollback_do_not_grow_with_the_past(apart: timedelta) -> None:
    def requests(count: int) -> int:
        objects = CountingObjects()
        journal, ecs, client = past_of(objects, count=count, apart=apart)
        past = journal.past()
        past.unfinished()
        choose(successes(ecs, past), past, current=ecs.serving())
        return objects.requests + client.requests

    # Listing the ids of deployments takes a request for every thousand, and one more beyond 90 days.
    assert requests(800) <= requests(100) + 1


@pytest.mark.parametrize("name", ["v195", f"{FAMILY}:180", "v100"])
def test_a_named_release_is_looked_for_from_the_newest_on(name: str) -> None:
    objects = CountingObjects()
    journal, ecs, client = past_of(objects, count=200, apart=timedelta(hours=1))
    found = choose(successes(ecs, journal.past()), journal.past(), current=ecs.serving(), name=name)
    distance = 200 - int(found.task_definition.rpartition(":")[2])
    assert objects.requests == 0
    assert client.requests <= distance + AT_MOST


def test_a_history_reads_only_what_it_shows() -> None:
    objects = CountingObjects()
    journal, _, _ = past_of(objects, count=200, apart=timedelta(hours=1))
    shown = rows(journal.entries(limit=10))
    assert [row[2] for row in shown] == [f"v{number}" for number in range(200, 190, -1)]
    assert objects.requests <= 10 * 4 + 3


def test_a_deployment_without_an_end_is_found_behind_those_that_ended_within_minutes() -> None:
    journal, _, _ = past_of(CountingObjects(), count=3, apart=timedelta(minutes=10))
    objects = journal.store
    entries = journal.entries()
    for deploy in (entries[1].deploy, entries[2].deploy):
        key = next(
            key for key in objects.keys(f"{journal.prefix}/{deploy}/") if key.endswith("finished.json")
        )
        del objects._objects[key]  # type: ignore[attr-defined]
    assert [entry.deploy for entry in journal.past().unfinished()] == [each.deploy for each in entries[1:]]


def test_reading_the_past_goes_on_where_it_stopped() -> None:
    journal, _, _ = past_of(CountingObjects(), count=120, apart=timedelta(days=2))
    past = journal.past()
    newest = [entry.deploy for entry in islice(past, 3)]
    assert [entry.deploy for entry in past][:3] == newest
    assert len({entry.deploy for entry in past}) == 120
