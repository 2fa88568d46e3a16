from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.database.answer import Migration
from samjhadoo_ops.deployment.compatibility import breaking_scripts, schema_version, takes_away, unsupported
from samjhadoo_ops.deployment.journal import FINISHED, STARTED, Entry, Event

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("CREATE TABLE t (a int);", ""),
        ("ALTER TABLE t ADD COLUMN a int;", ""),
        ("ALTER TABLE t DROP CONSTRAINT c;", ""),
        ("ALTER TABLE t ALTER COLUMN a DROP NOT NULL;", ""),
        ("-- DROP TABLE t;\nSELECT 'drop table t'; /* drop view v */", ""),
        ("DO $$ BEGIN PERFORM 'drop table t'; END $$;", ""),
        ("DROP TABLE t;", "drops a table"),
        ("drop  materialized view v", "drops a materialized view"),
        ("ALTER TABLE t\n  DROP COLUMN IF EXISTS a;", "drops a column"),
        ("ALTER TABLE t DROP a", "drops a column"),
        ("ALTER TABLE t RENAME COLUMN a TO b", "renames something"),
        ("ALTER TABLE t RENAME TO u", "renames something"),
        ("ALTER TABLE t ALTER COLUMN a TYPE bigint", "changes a column's type"),
        ("ALTER TABLE t ALTER a SET DATA TYPE bigint", "changes a column's type"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL", "makes a column required"),
        ("-- contract: since=v3\nALTER TABLE t DROP COLUMN a;", "since=v3"),
    ],
)
def test_what_a_script_takes_away(sql: str, what: str) -> None:
    assert takes_away(sql) == what


def test_only_scripts_that_take_something_away_are_named(tmp_path: Path) -> None:
    (tmp_path / "V1__a.sql").write_text("CREATE TABLE t (a int);")
    (tmp_path / "V2__b.sql").write_text("DROP TABLE t;")
    found = breaking_scripts(
        Migration(str(number), "", "Pending", str(tmp_path / name))
        for number, name in enumerate(["V1__a.sql", "V2__b.sql", "V3__missing.sql"])
    )
    assert found == {"V2__b.sql": "drops a table"}


def deploy(release: str, breaking: dict[str, str] | None = None, *, arrived: bool = True) -> Entry:
    """A deploy of a release whose task definition is called like it."""
    events: list[tuple[str, dict[str, Any]]] = [
        (STARTED, {"kind": "deploy"}),
        ("pushed", {"release": release}),
    ]
    if breaking is not None:
        events.append(("migrating", {"breaking": breaking}))
    if arrived:
        events += [("registered", {"task_definition": release}), (FINISHED, {"outcome": "succeeded"})]
    return Entry(
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
def test_a_release_lives_with_what_was_there_before_it(
    entries: list[Entry], release: str, broken: set[str]
) -> None:
    assert set(unsupported(entries, release)) == broken


def test_the_schema_is_what_the_newest_deploy_that_knew_it_recorded() -> None:
    def entry(*events: tuple[str, dict[str, Any]]) -> Entry:
        told = [
            Event(number=number, event=name, at=NOW, data=data) for number, (name, data) in enumerate(events)
        ]
        return Entry("d", tuple(told))

    rolled_back = entry((STARTED, {"kind": "rollback"}))
    migrated = entry(("schema", {"schema": "4"}), ("migrated", {"schema": "5"}))
    assert schema_version([rolled_back, migrated, entry(("schema", {"schema": "3"}))]) == "5"
    assert schema_version([rolled_back]) == ""
