"""The judge of migrations: what it answers, what the journal keeps, and what is read back from there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from samjhadoo_ops.database import Inspection, Migration
from samjhadoo_ops.database.effects import Compatibility
from samjhadoo_ops.database.judge import judge_migrations, recorded_judgement, require_end, since
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment import Environment

SAFE, UNKNOWN, BREAKS = Compatibility.SAFE, Compatibility.UNKNOWN, Compatibility.BREAKS


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return msgspec.structs.replace(load_environment("production", variables={}), root=tmp_path)


def scripts(folder: Path, *, state: str = "Pending", **texts: str) -> list[Migration]:
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
    return [
        Migration(str(number), "", state, str(folder / f"{name}.sql")) for number, name in enumerate(texts, 1)
    ]


@pytest.mark.parametrize(
    ("sql", "answer", "reason"),
    [
        ("ALTER TABLE t ADD COLUMN a text;", SAFE, ""),
        ("-- DROP TABLE t;\nSELECT 'drop table t'; /* drop view v */", SAFE, ""),
        ("TRUNCATE t;", BREAKS, "V1__x.sql:3: empties the table t (loses data)"),
        ("DROP TYPE mood;", BREAKS, "V1__x.sql:3: drops the type mood"),
        ("ALTER TABLE t\nDROP COLUMN a;", BREAKS, "V1__x.sql:3: drops the column t.a (loses data)"),
        (
            "COPY t FROM stdin;\nx (\n\\.\nDROP TABLE t;",
            BREAKS,
            "V1__x.sql:6: drops the table t (loses data)",
        ),
        ("ALTER TABLE ${t} DROP a;", BREAKS, "V1__x.sql:3: drops the column real.a (loses data)"),
        (
            "DROP VIEW v;\nCREATE VIEW v AS SELECT 1;",
            UNKNOWN,
            "V1__x.sql:3: drops the view v and makes it again",
        ),
        ("this is no SQL;", UNKNOWN, "V1__x.sql:3: PostgreSQL's parser does not understand this is no SQL"),
        ("-- contract: since=v1\nSELECT 1;", BREAKS, ""),
    ],
)
def test_a_script_is_judged_as_flyway_sends_it(
    env: Environment, tmp_path: Path, sql: str, answer: Compatibility, reason: str
) -> None:
    (tmp_path / "flyway.toml").write_text('[flyway.placeholders]\nt = "real"\n')
    judgement = judge_migrations(scripts(tmp_path, V1__x=f"SELECT 1;\n\n{sql}\n"), env)
    (judged,) = judgement.scripts
    assert (judged.answer, judgement.answer) == (answer, answer)
    assert [str(each) for each in judged.reasons] == ([reason] if reason else [])


@pytest.mark.parametrize(("asked", "answer"), [(True, SAFE), (False, SAFE), (None, UNKNOWN)])
def test_the_schema_is_known_from_the_database_or_from_what_was_applied(
    env: Environment, tmp_path: Path, asked: bool | None, answer: Compatibility
) -> None:
    made = "CREATE VIEW v AS SELECT 1 AS a"
    applied = scripts(tmp_path, state="Success", V1__v=f"{made};")
    pending = scripts(tmp_path, V2__v="DROP VIEW v;\nCREATE VIEW v AS SELECT 1 AS a, 2 AS b;")
    known = Inspection("1", (*applied, *pending), (), schema=made if asked else None)
    assert judge_migrations(pending, env, None if asked is None else known).answer is answer


def test_only_a_database_that_was_asked_shows_that_something_does_not_exist(
    env: Environment, tmp_path: Path
) -> None:
    pending = scripts(tmp_path, V2__v="DROP TABLE IF EXISTS t;")
    assert judge_migrations(pending, env, Inspection("1", (), (), schema="")).answer is SAFE
    assert judge_migrations(pending, env, Inspection("1", (), ())).answer is BREAKS


def test_what_an_earlier_pending_script_made_may_be_removed_but_that_is_shown(
    env: Environment, tmp_path: Path
) -> None:
    pending = scripts(
        tmp_path,
        V1__a="CREATE TABLE t (a int, b int);",
        V2__b="DO $$BEGIN ALTER TABLE t DROP COLUMN a; END$$;",
        V3__c="ALTER TABLE t ADD c int, DROP COLUMN c;",
        V4__d="DROP TABLE t;",
    )
    judgement = judge_migrations(pending, env)
    assert judgement.answer is SAFE
    assert list(map(str, judgement.reasons)) == [
        "V2__b.sql:1: drops the column t.a, which V1__a.sql makes (loses data)",
        "V3__c.sql:1: drops the column t.c, which V1__a.sql makes (loses data)",
        "V4__d.sql:1: drops the table t, which V1__a.sql makes (loses data)",
    ]


def test_what_the_journal_keeps_is_read_back(env: Environment, tmp_path: Path) -> None:
    pending = scripts(
        tmp_path,
        V1__a="CREATE TABLE z (a int);",
        V2__b="DROP TABLE t;",
        V3__c="ALTER TABLE t DROP CONSTRAINT c;",
        V4__d="ALTER TABLE t SET UNLOGGED;",
    )
    found = judge_migrations(pending, env)
    assert found.record == {
        "breaking": {"V2__b.sql": "drops the table t"},
        "unknown": {"V3__c.sql": "drops the constraint c of t"},
        "findings": [
            "V2__b.sql:1: drops the table t (loses data)",
            "V3__c.sql:1: drops the constraint c of t",
            "V4__d.sql:1: makes t unlogged: it is empty after a crash (loses data)",
        ],
    }
    again = recorded_judgement(found.record)
    assert [(each.script, each.answer) for each in again.scripts] == [
        ("V2__b.sql", BREAKS),
        ("V3__c.sql", UNKNOWN),
    ]
    assert recorded_judgement({}).scripts == ()


def test_a_marker_survives_the_journal(env: Environment, tmp_path: Path) -> None:
    found = judge_migrations(scripts(tmp_path, V1__x="-- contract: since=v3\nDROP TABLE t;"), env)
    assert found.record["breaking"] == {"V1__x.sql": "since=v3"}
    (judged,) = recorded_judgement(found.record).scripts
    assert (judged.since, judged.answer) == ("v3", BREAKS)


def test_without_the_parser_nothing_is_known(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pgparse", None)
    judgement = judge_migrations(scripts(tmp_path, V1__a="SELECT 1;", V2__b="SELECT 2;"), env)
    assert judgement.answer is UNKNOWN
    assert len(judgement.of(UNKNOWN)) == 2
    assert "pgparse" in str(judgement.reasons[0])


def test_a_script_that_never_ends_is_refused_before_flyway_starts(env: Environment, tmp_path: Path) -> None:
    require_end(scripts(tmp_path, V1__a="COPY t FROM stdin;\n1\n\\.\n", V2__b="SELECT '${nope}'"), env)
    endless = scripts(tmp_path, V1__a="SELECT 1;", V2__b="COPY t FROM stdin;\n1\n")
    with pytest.raises(Refused) as refused:
        require_end(endless, env)
    (line,) = refused.value.details
    assert line.startswith("V2__b.sql:1: the data of COPY")


@pytest.mark.parametrize("name", ["V3__missing.sql", "V3__x.sh", "V3__X.java"])
def test_what_is_not_sql_is_unknown(env: Environment, tmp_path: Path, name: str) -> None:
    (tmp_path / "V3__x.sh").write_text("psql -c 'DROP TABLE t'")
    judgement = judge_migrations([Migration("3", "", "Pending", str(tmp_path / name))], env)
    assert judgement.answer is UNKNOWN
    assert judgement.scripts[0].script == name


def test_an_empty_script_is_safe(env: Environment, tmp_path: Path) -> None:
    assert judge_migrations(scripts(tmp_path, V1__x=""), env).answer is SAFE


@pytest.mark.parametrize(
    ("text", "release"),
    [
        ("-- contract: since=v1.2\nDROP TABLE t;", "v1.2"),
        ("SELECT 1;\n  --Contract:since=abc123  \n", "abc123"),
        ("SELECT '-- contract: since=x' ;", ""),
        ("-- contract: since=\n", ""),
        ("-- we had a contract: since=v1 once\n", ""),
    ],
)
def test_the_marker_names_the_release(text: str, release: str) -> None:
    assert since(text) == release
