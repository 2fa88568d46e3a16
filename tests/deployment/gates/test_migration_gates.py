from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from gate_facts import brief, facts_of

from samjhadoo_ops.database import Inspection, Migration, lint
from samjhadoo_ops.deployment.gates import migrations
from samjhadoo_ops.deployment.gates.gate import State
from samjhadoo_ops.deployment.gates.migrations import Success, objection, successes
from samjhadoo_ops.deployment.journal import Event, JournalEntry

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment import Environment

NOW = datetime.now(UTC)
WEEK = timedelta(days=7)
SAFE = "SET LOCAL lock_timeout = '4s';\nSET LOCAL statement_timeout = '60s';\n"


def success(name: str, days: float) -> Success:
    return Success((name,), NOW - timedelta(days=days))


@pytest.mark.parametrize(
    ("release", "history", "said"),
    [
        pytest.param("", [success("v2", 9)], "no comment", id="no-marker"),
        pytest.param("v9", [success("v2", 9)], "never deployed", id="unknown-release"),
        pytest.param("v2", [success("v2", 8), success("v1", 20)], "", id="long-enough"),
        pytest.param("v2", [success("v2", 6), success("v1", 20)], "for 6 days, 7 days", id="too-young"),
        pytest.param("v2", [success("v3", 1), success("v2", 8)], "", id="followed-by-another"),
        pytest.param("v2", [success("v2", 1), success("v2", 8)], "", id="deployed-twice"),
        pytest.param(
            "v2", [success("v1", 1), success("v2", 8), success("v1", 20)], "older than v2", id="rolled-back"
        ),
        pytest.param("0123456", [success("0123456789abcdef", 8)], "", id="short-sha"),
        pytest.param("01234", [success("0123456789abcdef", 8)], "never deployed", id="too-short-sha"),
    ],
)
def test_a_contract_waits_until_nobody_goes_back_behind_its_release(
    release: str, history: list[Success], said: str
) -> None:
    why = objection(release, history, now=NOW, window=WEEK)
    assert said in why
    assert bool(said) is bool(why)


def entry(name: str, outcome: str, deployment: str = "") -> JournalEntry:
    data = {"release": name, "deployment": deployment, "kind": "deploy"}
    events = (
        Event(number=0, event="started", at=NOW, data=data),
        Event(number=1, event="finished", at=NOW, data={"outcome": outcome}),
    )
    return JournalEntry(name, events)


def test_only_what_came_into_production_counts() -> None:
    entries = [
        entry("v4", "baking", "d/0"),
        entry("v3", "baking", "d/9"),
        entry("v2", "rolled back"),
        entry("v1", "succeeded"),
    ]
    assert [each.names for each in successes(entries, brief("SUCCESSFUL"))] == [("v4",), ("v1",)]


def pending(*paths: Path) -> Inspection:
    found = [Migration(path.name[1:2], path.stem, "Pending", str(path)) for path in paths]
    return Inspection("1", tuple(found), ())


def write(folder: Path, text: str, name: str = "V6__x.sql") -> Path:
    path = folder / name
    path.write_text(SAFE + text)
    return path


@pytest.mark.parametrize(
    ("text", "linted", "compatible"),
    [
        pytest.param("ALTER TABLE t ADD COLUMN a text;", State.OK, State.OK, id="expansion"),
        pytest.param("ALTER TABLE t DROP COLUMN a;", State.OK, State.REFUSED, id="destructive"),
        pytest.param("CREATE INDEX i ON t (a);", State.REFUSED, State.OK, id="blocks-writers"),
        pytest.param(
            "-- squawk-ignore ban-drop-column\nALTER TABLE t DROP COLUMN a;",
            State.OK,
            State.REFUSED,
            id="silenced-is-still-destructive",
        ),
        pytest.param("TRUNCATE t;", State.OK, State.REFUSED, id="only-the-patterns-find-it"),
        pytest.param(
            "-- contract: since=v1\nALTER TABLE t DROP COLUMN a;", State.OK, State.OK, id="contract"
        ),
        pytest.param(
            "-- contract: since=v2\nALTER TABLE t DROP COLUMN a;", State.OK, State.REFUSED, id="unknown"
        ),
    ],
)
def test_pending_migrations_must_be_safe_and_compatible(
    env: Environment, tmp_path: Path, text: str, linted: State, compatible: State
) -> None:
    old = entry("v1", "succeeded")
    events = tuple(
        Event(number=each.number, event=each.event, at=NOW - timedelta(days=30), data=each.data)
        for each in old.events
    )
    facts: dict[str, Any] = {
        "inspection": pending(write(tmp_path, text)),
        "entries": lambda: [JournalEntry("v1", events)],
    }
    found = migrations.migrations_linted(facts_of(env, **facts))
    assert found.state is linted, found
    found = migrations.migrations_compatible(facts_of(env, **facts))
    assert found.state is compatible, found
    if compatible is State.REFUSED:
        what = "empties a table" if "TRUNCATE" in text else "ban-drop-column"
        assert any("V6__x.sql:" in line and what in line for line in found.details)
        assert "expand/contract" in found.remedy


def test_before_the_first_release_nothing_can_break(env: Environment, tmp_path: Path) -> None:
    facts = {"inspection": pending(write(tmp_path, "DROP TABLE t;")), "deployments": []}
    assert migrations.migrations_compatible(facts_of(env, **facts)).state is State.SKIPPED


def test_when_nothing_is_pending_squawk_is_not_even_looked_for(
    env: Environment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint, "find_squawk", lambda: pytest.fail("asked"))
    facts = {"inspection": Inspection("1", (), ())}
    for gate in (migrations.migrations_linted, migrations.migrations_compatible):
        assert gate(facts_of(env, **facts)).state is State.OK
        assert gate(facts_of(env)).state is State.SKIPPED


def test_without_squawk_the_gates_cannot_decide(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint.shutil, "which", lambda *_, **__: None)
    facts = {"inspection": pending(write(tmp_path, "ALTER TABLE t DROP CONSTRAINT c;"))}
    for gate in (migrations.migrations_linted, migrations.migrations_compatible):
        found = gate(facts_of(env, **facts))
        assert found.state is State.UNKNOWN
        assert found.remedy == "pip install squawk-cli"


def test_without_squawk_what_the_patterns_find_is_still_refused(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint.shutil, "which", lambda *_, **__: None)
    facts = facts_of(env, inspection=pending(write(tmp_path, "DROP TABLE t;")))
    assert migrations.migrations_linted(facts).state is State.UNKNOWN
    found = migrations.migrations_compatible(facts)
    assert found.state is State.REFUSED
    assert "V6__x.sql:3: drops a table" in found.details


def test_a_script_that_cannot_be_read_is_refused(env: Environment, tmp_path: Path) -> None:
    script = tmp_path / "V6__x.sql"
    script.write_bytes(b"SELECT '\xff';")
    facts = facts_of(env, inspection=pending(script))
    found = migrations.migrations_compatible(facts)
    assert found.state is State.REFUSED
    assert "cannot be read" in found.reason


def test_a_view_that_is_created_again_may_have_lost_columns(env: Environment, tmp_path: Path) -> None:
    script = write(tmp_path, "DROP VIEW v;\nCREATE VIEW v AS SELECT 1;", "R__v.sql")
    found = migrations.migrations_compatible(facts_of(env, inspection=pending(script)))
    assert found.state is State.UNKNOWN
    assert "R__v.sql:3: " in found.details[0]
    assert "drops a view and creates it again" in found.details[0]
