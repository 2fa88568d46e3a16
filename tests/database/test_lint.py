from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database import lint
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def rules(path: Path, **options: object) -> list[tuple[int, str]]:
    found = lint.lint([path], engine_version="14", **options)  # type: ignore[arg-type]
    return [(each.line, each.rule) for each in found if not each.rule.startswith(("require-", "prefer-"))]


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("ALTER TABLE t DROP COLUMN a;", "ban-drop-column"),
        ("DROP TABLE t;", "ban-drop-table"),
        ("DROP VIEW v;", "ban-drop-view"),
        ("ALTER TABLE t RENAME COLUMN a TO b;", "renaming-column"),
        ("ALTER TABLE t RENAME TO u;", "renaming-table"),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b';", "renaming-object"),
        ("ALTER TABLE t ALTER COLUMN a TYPE text;", "changing-column-type"),
        ("ALTER TABLE t ADD COLUMN a text NOT NULL;", "adding-required-field"),
        ("ALTER TABLE t ALTER COLUMN a SET NOT NULL;", "adding-not-nullable-field"),
        ("ALTER TABLE t DROP CONSTRAINT c;", "ban-drop-constraint"),
        ("TRUNCATE t CASCADE;", "ban-truncate-cascade"),
        ("DROP SCHEMA s;", "ban-drop-schema"),
    ],
)
def test_rules_that_the_judge_answers_are_squawks_own(
    script: Callable[[str, str], Path], sql: str, rule: str
) -> None:
    path = script("V1__x.sql", f"SELECT 1;\n\n{sql}\n")
    found = lint.lint([path], engine_version="14")
    assert (3, rule) in [(each.line, each.rule) for each in found]
    assert rule in lint.JUDGED


def test_an_expansion_is_not_objected_to(script: Callable[[str, str], Path]) -> None:
    path = script("V1__x.sql", "SET lock_timeout = '4s';\nALTER TABLE t ADD COLUMN a text;\n")
    assert rules(path) == []


def test_the_conf_beside_a_script_says_whether_it_runs_in_a_transaction(
    script: Callable[[str, str], Path],
) -> None:
    path = script("V1__x.sql", "SELECT 1;\nCREATE INDEX CONCURRENTLY i ON t (a);\n")
    assert rules(path) == [(2, "ban-concurrent-index-creation-in-transaction")]
    script("V1__x.sql.conf", "executeInTransaction=false\n")
    assert rules(path) == []


def test_flyways_placeholders_are_no_syntax_errors_and_line_numbers_stay(
    script: Callable[[str, str], Path],
) -> None:
    path = script("V1__x.sql", "SELECT ${a}\nFROM ${schema}.t;\nDROP TABLE ${t};\n")
    assert rules(path) == [(3, "ban-drop-table")]


def test_a_comment_silences_the_linter_but_not_the_judge(
    script: Callable[[str, str], Path],
) -> None:
    path = script("V1__x.sql", "SELECT 1;\n-- squawk-ignore ban-drop-table\nDROP TABLE t;\n")
    assert rules(path) == []
    assert rules(path, heed_comments=False) == [(3, "ban-drop-table")]


def test_scripts_are_reported_in_their_order_without_excluded_rules(
    script: Callable[[str, str], Path],
) -> None:
    second, first = script("V2__b.sql", "DROP TABLE b;"), script("V10__a.sql", "DROP TABLE a;")
    java = script("V3__c.java", "class C {}")
    script("V10__a.sql.conf", "executeInTransaction = FALSE")
    found = lint.lint([second, java, first], engine_version="14", exclude=["prefer-robust-stmts"])
    reported = [each.script for each in found if each.rule == "ban-drop-table"]
    assert reported == ["V2__b.sql", "V10__a.sql"]
    assert not [each for each in found if each.rule == "prefer-robust-stmts"]
    assert lint.lint([java], engine_version="14") == []


def test_the_projects_own_migrations_pass() -> None:
    env = load_environment("local", variables={})
    settings = env.gates.migrations
    scripts = [path for folder in env.database.migrations for path in (env.root / folder).glob("*.sql")]
    assert scripts
    assert lint.lint(scripts, engine_version=env.database.engine_version, exclude=settings.exclude) == []


def test_a_missing_squawk_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lint.shutil, "which", lambda *_, **__: None)
    with pytest.raises(lint.LinterMissing, match="not installed"):
        lint.find_squawk()
