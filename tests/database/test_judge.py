"""The judge of migrations: what it answers, what the journal keeps, and what is read back from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database import Migration, lint
from samjhadoo_ops.database.judge import (
    Compatibility,
    judge_migrations,
    judge_script,
    recorded_judgement,
    since,
)
from samjhadoo_ops.database.lint import Objection
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.environment import Environment

SAFE, UNKNOWN, BREAKS = Compatibility.SAFE, Compatibility.UNKNOWN, Compatibility.BREAKS


@pytest.fixture(scope="module")
def env() -> Environment:
    return load_environment("production", variables={})


def scripts(folder: Path, *names: str, **texts: str) -> list[Migration]:
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text)
    names = (*(f"{name}.sql" for name in texts), *names)
    return [
        Migration(str(number), "", "Pending", str(folder / name))
        for number, name in enumerate(names, start=1)
    ]


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
def test_the_patterns_alone_find_what_a_script_takes_away(sql: str, what: str) -> None:
    judged = judge_script("V1__x.sql", sql, [], [])
    assert judged.what == what
    assert judged.answer is (BREAKS if what else SAFE)


@pytest.mark.parametrize(
    ("sql", "answer", "reason"),
    [
        ("ALTER TABLE t ADD COLUMN a text;", SAFE, ""),
        ("TRUNCATE t;", BREAKS, "V1__x.sql:3: empties a table"),
        ("DROP TYPE mood;", BREAKS, "V1__x.sql:3: drops a type"),
        ("ALTER TABLE t DROP CONSTRAINT c;", BREAKS, "V1__x.sql:3: ban-drop-constraint: "),
        ("ALTER TABLE t\nDROP COLUMN a;", BREAKS, "V1__x.sql:4: ban-drop-column: "),
        ("DROP VIEW v;\nCREATE VIEW v AS SELECT 1;", UNKNOWN, "V1__x.sql:3: ban-drop-view: "),
        ("DROP VIEW v;\n-- CREATE VIEW v AS SELECT 1;", BREAKS, "V1__x.sql:3: ban-drop-view: "),
        ("DROP VIEW v; DROP TABLE t;\nCREATE VIEW v AS SELECT 1;", BREAKS, "V1__x.sql:3: ban-drop"),
        ("-- contract: since=v1\nSELECT 1;", BREAKS, ""),
    ],
)
def test_the_worse_answer_of_squawk_and_the_patterns_counts(
    env: Environment, tmp_path: Path, sql: str, answer: Compatibility, reason: str
) -> None:
    judgement = judge_migrations(scripts(tmp_path, V1__x=f"SELECT 1;\n\n{sql}\n"), env)
    (judged,) = judgement.scripts
    assert (judgement.answer, judged.answer) == (answer, answer)
    assert [str(each)[: len(reason)] for each in judged.reasons[:1]] == ([reason] if reason else [])


def test_a_statement_that_both_find_is_one_reason_with_the_words_of_both(
    env: Environment, tmp_path: Path
) -> None:
    (judged,) = judge_migrations(scripts(tmp_path, V1__x="DROP TABLE t;"), env).scripts
    (reason,) = judged.reasons
    assert reason.what == "drops a table"
    assert reason.rule.startswith("ban-drop-table: ")


def test_only_scripts_that_are_not_safe_are_recorded(env: Environment, tmp_path: Path) -> None:
    found = judge_migrations(
        scripts(
            tmp_path,
            V1__a="CREATE TABLE t (a int);",
            V2__b="DROP TABLE t;",
            V3__c="ALTER TABLE t DROP CONSTRAINT c;",
            R__v="DROP VIEW v;\nCREATE VIEW v AS SELECT 1;",
        ),
        env,
    )
    assert found.record == {
        "breaking": {"V2__b.sql": "drops a table", "V3__c.sql": "ban-drop-constraint"},
        "unknown": {"R__v.sql": "drops a view and creates it again"},
    }
    again = recorded_judgement(found.record)
    assert [(each.script, each.answer) for each in again.scripts] == [
        ("V2__b.sql", BREAKS),
        ("V3__c.sql", BREAKS),
        ("R__v.sql", UNKNOWN),
    ]
    assert recorded_judgement({}).scripts == ()


def test_a_marker_survives_the_journal(env: Environment, tmp_path: Path) -> None:
    found = judge_migrations(scripts(tmp_path, V1__x="-- contract: since=v3\nDROP TABLE t;"), env)
    assert found.record == {"breaking": {"V1__x.sql": "since=v3"}}
    (judged,) = recorded_judgement(found.record).scripts
    assert (judged.since, judged.answer) == ("v3", BREAKS)


def test_scripts_that_squawk_cannot_examine_are_unknown_unless_the_patterns_object(
    env: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lint.shutil, "which", lambda *_, **__: None)
    harmless = judge_migrations(scripts(tmp_path, V1__a="CREATE TABLE t (a int);"), env)
    assert (harmless.answer, harmless.record) == (UNKNOWN, {"breaking": {}})
    assert isinstance(harmless.failure, lint.LinterMissing)
    assert judge_migrations(scripts(tmp_path, V2__b="DROP TABLE t;"), env).answer is BREAKS


def test_a_missing_script_is_unknown_and_no_crash(env: Environment, tmp_path: Path) -> None:
    assert judge_migrations(scripts(tmp_path, "V3__missing.sql"), env).answer is UNKNOWN


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


def test_a_view_that_is_dropped_to_be_created_again_does_not_break_by_itself() -> None:
    text = "DROP VIEW IF EXISTS a;\nDROP VIEW b;\nCREATE VIEW a AS SELECT 1;\n"
    found = [Objection("R__v.sql", line, "ban-drop-view", "x") for line in (1, 2)]
    judged = judge_script("R__v.sql", text, found, ["ban-drop-view"])
    assert [each.line for each in judged.reasons if each.answer is BREAKS] == [2]
