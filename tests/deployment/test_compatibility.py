from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from samjhadoo_ops.database.effects import Compatibility, Reason
from samjhadoo_ops.database.judge import ScriptJudgement
from samjhadoo_ops.deployment.journal import FINISHED, STARTED, Event, JournalEntry
from samjhadoo_ops.deployment.rollback import require_support, schema_version, unsupported
from samjhadoo_ops.errors import Refused

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


BREAKS = ScriptJudgement("V1__b.sql", (Reason("V1__b.sql", 1, "drops the table t"),))
UNCLEAR = ScriptJudgement("V2__u.sql", (Reason("V2__u.sql", 1, "calls p", Compatibility.UNKNOWN),))


@pytest.mark.parametrize(
    ("found", "refuse_unknown", "why", "refusal", "events"),
    [
        ([], True, "", "", []),
        ([BREAKS], False, "", "the schema no longer supports v1", []),
        ([BREAKS, UNCLEAR], True, "", "the schema no longer supports v1", []),
        ([UNCLEAR], True, "", "whether the schema still supports v1 is not known", []),
        ([UNCLEAR], False, "", "", [("schema-unknown", "V2__u.sql")]),
        ([BREAKS, UNCLEAR], False, "known", "", [("forced", "V1__b.sql"), ("schema-unknown", "V2__u.sql")]),
        ([UNCLEAR], True, "known", "", [("forced", "V2__u.sql")]),
    ],
)
def test_a_setting_decides_whether_a_rollback_needs_a_known_answer(
    found: list[ScriptJudgement], refuse_unknown: bool, why: str, refusal: str, events: list[tuple[str, str]]
) -> None:
    told: list[tuple[str, str]] = []
    console: Any = SimpleNamespace(event=lambda event, _, script: told.append((event, script)))
    expected = pytest.raises(Refused, match=refusal) if refusal else nullcontext()
    with expected:
        require_support(
            found, "v1", console, refuse_unknown=refuse_unknown, command="invoke rollback", force_schema=why
        )
    assert told == events


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
