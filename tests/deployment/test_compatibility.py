from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from samjhadoo_ops.deployment.journal import FINISHED, STARTED, Event, JournalEntry
from samjhadoo_ops.deployment.rollback import schema_version, unsupported

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def deploy(release: str, breaking: dict[str, str] | None = None, *, arrived: bool = True) -> JournalEntry:
    """A deploy of a release whose task definition is called like it."""
    events: list[tuple[str, dict[str, Any]]] = [
        (STARTED, {"kind": "deploy"}),
        ("pushed", {"release": release}),
    ]
    if breaking is not None:
        events.append(("migrating", {"breaking": breaking}))
    if arrived:
        events += [("registered", {"task_definition": release}), (FINISHED, {"outcome": "succeeded"})]
    return JournalEntry(
        release,
        tuple(
            Event(number=number, event=event, at=NOW, data=data)
            for number, (event, data) in enumerate(events)
        ),
    )


DROPS = {"V9__drop.sql": "drops a column"}
CONTRACT = {"V9__drop.sql": "since=v3"}


@pytest.mark.parametrize(
    ("entries", "release", "broken"),
    [
        pytest.param([deploy("v2"), deploy("v1")], "v1", set(), id="no-migrations"),
        pytest.param([deploy("v2", {}), deploy("v1")], "v1", set(), id="harmless"),
        pytest.param([deploy("v2", DROPS), deploy("v1")], "v1", set(DROPS), id="destructive-since"),
        pytest.param([deploy("v2"), deploy("v1", DROPS)], "v1", set(), id="destructive-with-it"),
        pytest.param(
            [deploy("v2", DROPS, arrived=False), deploy("v1")], "v1", set(DROPS), id="a-run-that-died-after"
        ),
        pytest.param(
            [deploy("v4", CONTRACT), deploy("v3"), deploy("v2")], "v3", set(), id="contracted-for-it"
        ),
        pytest.param(
            [deploy("v4", CONTRACT), deploy("v3"), deploy("v2")],
            "v2",
            set(CONTRACT),
            id="older-than-contract",
        ),
        pytest.param(
            [deploy("v4", CONTRACT), deploy("v2")], "v2", set(CONTRACT), id="contract-never-deployed"
        ),
    ],
)
def test_a_release_works_with_the_migrations_before_it(
    entries: list[JournalEntry], release: str, broken: set[str]
) -> None:
    assert {each.script for each in unsupported(entries, release)} == broken


def test_a_release_may_not_work_with_a_migration_that_could_not_be_judged() -> None:
    migrating = Event(
        number=1, event="migrating", at=NOW, data={"breaking": {}, "unknown": {"R__v.sql": "x"}}
    )
    started = Event(number=0, event=STARTED, at=NOW, data={"kind": "deploy"})
    assert [
        each.what for each in unsupported([JournalEntry("v2", (started, migrating)), deploy("v1")], "v1")
    ] == ["x"]


def test_the_schema_is_what_the_newest_deploy_that_knew_it_recorded() -> None:
    def entry(*events: tuple[str, dict[str, Any]]) -> JournalEntry:
        told = [
            Event(number=number, event=name, at=NOW, data=data) for number, (name, data) in enumerate(events)
        ]
        return JournalEntry("d", tuple(told))

    rolled_back = entry((STARTED, {"kind": "rollback"}))
    migrated = entry(("schema", {"schema": "4"}), ("migrated", {"schema": "5"}))
    assert schema_version([rolled_back, migrated, entry(("schema", {"schema": "3"}))]) == "5"
    assert schema_version([rolled_back]) == ""
