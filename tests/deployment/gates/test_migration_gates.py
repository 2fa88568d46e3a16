from __future__ import annotations

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from gate_facts import brief, facts_of, with_settings

from samjhadoo_ops.database import Inspection, Migration
from samjhadoo_ops.deployment.gates import migrations
from samjhadoo_ops.deployment.gates.gate import State
from samjhadoo_ops.deployment.gates.migrations import Success, objection, successes
from samjhadoo_ops.deployment.journal import Event, JournalEntry
from samjhadoo_ops.environment import load_environment

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
            "-- accept: data-loss\nALTER TABLE t DROP COLUMN a;",
            State.OK,
            State.REFUSED,
            id="accepted-is-still-destructive",
        ),
        pytest.param("TRUNCATE t;", State.REFUSED, State.REFUSED, id="loses-data"),
        pytest.param("CALL p();", State.OK, State.WARNED, id="not-known"),
        pytest.param("DO $$BEGIN ALTER TABLE t DROP a; END$$;", State.OK, State.REFUSED, id="inside-do"),
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
        what = "empties the table t" if "TRUNCATE" in text else "drops the column t.a"
        assert any("V6__x.sql:" in line and what in line for line in found.details)
        assert "expand/contract" in found.remedy


def test_before_the_first_release_nothing_can_break(env: Environment, tmp_path: Path) -> None:
    facts = {"inspection": pending(write(tmp_path, "DROP TABLE t;")), "deployments": []}
    assert migrations.migrations_compatible(facts_of(env, **facts)).state is State.SKIPPED


def test_when_nothing_is_pending_there_is_nothing_to_check(env: Environment) -> None:
    facts = {"inspection": Inspection("1", (), ())}
    for gate in (
        migrations.migrations_linted,
        migrations.migrations_runnable,
        migrations.migrations_compatible,
    ):
        assert gate(facts_of(env, **facts)).state is State.OK
        assert gate(facts_of(env)).state is State.SKIPPED


@pytest.mark.parametrize(("policy", "state"), [("refuse", State.REFUSED), ("warn", State.WARNED)])
def test_a_setting_decides_what_an_unknown_answer_leads_to(
    env: Environment, tmp_path: Path, policy: str, state: State
) -> None:
    strict = with_settings(env, "gates.migrations", unknown=policy)
    script = write(tmp_path, "DROP VIEW v;\nCREATE VIEW v AS SELECT 1;", "R__v.sql")
    found = migrations.migrations_compatible(facts_of(strict, inspection=pending(script)))
    assert found.state is state
    assert found.details == ("R__v.sql:3: drops the view v and makes it again",)
    assert ("--override migrations_compatible" in found.remedy) is (policy == "refuse")


def test_an_unknown_answer_is_refused_in_production_and_shown_elsewhere() -> None:
    policies = {
        name: load_environment(name, variables={}).gates.migrations.unknown
        for name in ("local", "staging", "production")
    }
    assert policies == {"local": "warn", "staging": "warn", "production": "refuse"}


def test_without_the_parser_the_remedy_is_to_install_it(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pgparse", None)
    found = migrations.migrations_compatible(facts_of(env, inspection=pending(write(tmp_path, "SELECT 1;"))))
    assert (found.state, found.remedy) == (State.WARNED, "pip install pgparse")


def test_data_that_is_lost_without_breaking_anything_is_shown(env: Environment, tmp_path: Path) -> None:
    made = write(tmp_path, "CREATE TABLE t (a int, b int);", "V6__x.sql")
    dropped = write(tmp_path, "ALTER TABLE t DROP COLUMN a;", "V7__y.sql")
    found = migrations.migrations_compatible(facts_of(env, inspection=pending(made, dropped)))
    assert found.state is State.WARNED
    assert found.details == ("V7__y.sql:3: drops the column t.a, which V6__x.sql makes (loses data)",)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"SELECT 1;", ""),
        (b"COPY t FROM stdin;\n1\n\\.\n", ""),
        (b"COPY t FROM stdin;\n1\n", "V6__x.sql:1: the data of COPY"),
        (b"BEGIN;\nSELECT 1;\nCOMMIT;", "V6__x.sql:3: this ends Flyway's transaction"),
        (b"SELECT '${nope}';", "V6__x.sql:1: no value for the placeholder ${nope}"),
        (b"SELECT '\xff';", "V6__x.sql:0: cannot be read: line 1 is not UTF-8"),
        (b"REINDEX TABLE CONCURRENTLY t;", "V6__x.sql:1: this statement cannot run in a transaction"),
    ],
)
def test_a_script_that_would_fail_or_not_end_is_refused(
    env: Environment, tmp_path: Path, text: bytes, why: str
) -> None:
    script = tmp_path / "V6__x.sql"
    script.write_bytes(text)
    found = migrations.migrations_runnable(facts_of(env, inspection=pending(script)))
    assert found.state is (State.REFUSED if why else State.OK)
    assert not why or found.details[0].startswith(why)


def test_before_the_first_release_a_script_must_still_run_to_its_end(
    env: Environment, tmp_path: Path
) -> None:
    facts = {"inspection": pending(write(tmp_path, "COPY t FROM stdin;")), "deployments": []}
    assert migrations.migrations_runnable(facts_of(env, **facts)).state is State.REFUSED


def test_without_the_parser_the_risks_are_not_known(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pgparse", None)
    found = migrations.migrations_linted(facts_of(env, inspection=pending(write(tmp_path, "SELECT 2;"))))
    assert (found.state, found.remedy) == (State.UNKNOWN, "pip install pgparse")


def test_a_refused_risk_shows_what_to_write_instead_and_how_to_accept_it(
    env: Environment, tmp_path: Path
) -> None:
    script = write(tmp_path, "CREATE INDEX i ON t (a);")
    found = migrations.migrations_linted(facts_of(env, inspection=pending(script)))
    assert found.state is State.REFUSED
    assert "lock" in found.reason
    assert "CREATE INDEX CONCURRENTLY" in found.remedy
    assert "V6__x.sql:3: lock: nobody can write to t" in found.details[0]

    script.write_text(SAFE + "-- accept: lock\nCREATE INDEX i ON t (a);")
    found = migrations.migrations_linted(facts_of(env, inspection=pending(script)))
    assert found.state is State.OK
    assert found.details[0].startswith("accepted in the script: V6__x.sql:4: lock")

    script.write_text("CREATE INDEX i ON t (a);")
    ignoring = with_settings(env, "gates.migrations", exclude=["lock"])
    assert migrations.migrations_linted(facts_of(ignoring, inspection=pending(script))).state is State.OK


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("V6__x.sql", "ALTER TABEL t ADD a int;", id="not-sql"),
        pytest.param("V6__x.sql", "DO $$ BEGIN EXECUTE current_setting('my.sql'); END $$;", id="dynamic"),
        pytest.param("V6__x.sh", "psql -c 'TRUNCATE t'", id="a-shell-script"),
    ],
)
def test_what_cannot_be_read_is_not_known_to_be_harmless(
    env: Environment, tmp_path: Path, name: str, text: str
) -> None:
    facts = {"inspection": pending(write(tmp_path, text, name))}
    assert migrations.migrations_compatible(facts_of(env, **facts)).state is State.WARNED
    assert migrations.migrations_linted(facts_of(env, **facts)).state is State.OK
    # Before the first deployment, the other gate does not look at it.
    found = migrations.migrations_linted(facts_of(env, **facts, deployments=[]))
    assert found.state is State.WARNED
    assert name in found.details[0]
    strict = with_settings(env, "gates.migrations", unknown="refuse")
    assert migrations.migrations_linted(facts_of(strict, **facts, deployments=[])).state is State.REFUSED


def test_nothing_can_be_blocked_or_lost_in_an_empty_schema(env: Environment, tmp_path: Path) -> None:
    script = write(tmp_path, "CREATE INDEX i ON t (a); TRUNCATE t; ALTER TABLE t ADD b int NOT NULL;")
    known = replace(pending(script), sizes={})
    assert migrations.migrations_linted(facts_of(env, inspection=known)).state is State.OK
    full = replace(known, sizes={"public.t": 1024**3})
    assert migrations.migrations_linted(facts_of(env, inspection=full)).state is State.REFUSED


def test_a_callback_is_checked_like_a_script(env: Environment, tmp_path: Path) -> None:
    path = write(tmp_path, "TRUNCATE t;", "afterMigrate.sql")
    callback = Migration("", "afterMigrate", "afterMigrate", str(path))
    inspection = Inspection("1", (), (), callbacks=(callback,))
    found = migrations.migrations_linted(facts_of(env, inspection=inspection))
    assert found.state is State.REFUSED
    assert "afterMigrate.sql:3: data-loss" in found.details[0]


def test_before_the_first_deployment_what_is_dropped_counts_as_lost(env: Environment, tmp_path: Path) -> None:
    facts = {"inspection": pending(write(tmp_path, "DROP TABLE t;"))}
    assert migrations.migrations_linted(facts_of(env, **facts)).state is State.OK
    assert migrations.migrations_linted(facts_of(env, **facts, deployments=[])).state is State.REFUSED


def test_a_kind_to_exclude_that_does_not_exist_is_shown_and_excludes_nothing(
    env: Environment, tmp_path: Path
) -> None:
    settings = with_settings(env, "gates.migrations", exclude=["syntax-error", "failure"])
    script = write(tmp_path, "CREATE TABLE z (a int);\nCOPY z FROM stdin;\n1\n\\.\n")
    found = migrations.migrations_linted(facts_of(settings, inspection=pending(script)))
    assert found.state is State.OK
    (line,) = found.details
    assert "'syntax-error' has no effect" in line
