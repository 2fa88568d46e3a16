from __future__ import annotations

from typing import TYPE_CHECKING

import pgparse
import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.database.script import Script, properties, read_script, settings_in, split

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONCURRENT = "CREATE INDEX CONCURRENTLY i ON t (a)"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Script]:
    def written(content: str | bytes, conf: str | None = None, **settings: str) -> Script:
        path = tmp_path / "V1__x.sql"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if conf is not None:
            (tmp_path / "V1__x.sql.conf").write_text(conf)
        return read_script(path, {key.replace("__", "."): value for key, value in settings.items()})

    return written


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("-- nothing; here\n/* nor; here */ ;;\n", []),
        ("SELECT 1;\n\nSELECT 2", [1, 3]),
        ("SELECT ';'; SELECT '''' || ';';\nSELECT 3", [1, 1, 2]),
        ("SELECT e'\\';' ;\nSELECT E'\\\\';\nSELECT 3", [1, 2, 3]),
        ('SELECT ";" ;\nSELECT """;" ;', [1, 2]),
        ("/* a /* nested; */ comment; */ SELECT 1;\nSELECT 2", [1, 2]),
        ("DO $$ BEGIN NULL; END $$;\nDO $a$ $$ ; $b$ ; $a$;\n", [1, 2]),
        ("SELECT $1;\nSELECT a$b$ FROM t;\nSELECT c$b$ FROM t", [1, 2, 3]),
        ("CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b);\nSELECT 1", [1, 2]),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; END;\nSELECT 3",
            [1, 2],
        ),
        ("-- first\n-- second\nSELECT 1", [3]),
        ("SELECT 'täst\r\n;';\r\nSELECT 2", [1, 3]),
    ],
)
def test_a_script_is_split_where_postgresql_splits_it(
    read: Callable[..., Script], text: str, lines: list[int]
) -> None:
    assert [each.line for each in read(text).statements] == lines


PIECES = [
    "SELECT 1",
    "SELECT ';'",
    "SELECT $x$;'$x$",
    "/* ; /* ; */ */",
    "-- ; '\n",
    "SELECT E'\\'; '",
    "SELECT ($$;$$)",
    'TABLE ";"',
    "SELECT 'a'';'",
    ";",
    "\n",
    "DO $$BEGIN NULL; END$$",
    "SELECT a$b",
]


@given(st.lists(st.sampled_from(PIECES)))
def test_as_many_statements_are_found_as_postgresqls_parser_finds(pieces: list[str]) -> None:
    from samjhadoo_ops.database.script import _Splitter

    text = "\n;".join(pieces)
    found = list(_Splitter(text).statements())
    assert len(found) == len(pgparse.parse(text))
    assert all(len(each.trees) == 1 for each in found)


@pytest.mark.parametrize(
    "value",
    ["';'", "E'\\';'", "date'2026-01-01'", 'a."b;"', "$$;$$", "1 -- ;\n", "/* ; */ 1", "a$b", "b$b", "(1)"],
)
def test_the_rows_of_a_long_insert_hide_no_statement(value: str) -> None:
    text = f"INSERT INTO t (a, b) VALUES {', '.join([f'({value}, {value})'] * 20_000)};\nDROP TABLE t;"
    insert, drop = split("x", text).statements
    assert [kind for kind, _ in (*insert.trees, *drop.trees)] == ["InsertStmt", "DropStmt"]
    assert drop.text == "DROP TABLE t"


@pytest.mark.parametrize(
    "data",
    ['1\tBasic\n2\tGold\'s "best"\n', "", "it's (\n", "a ; b $$\n/* -- \\N\n", "DROP TABLE t;\n", "\\\\.\n"],
)
@pytest.mark.parametrize("copy", ["COPY t (a) FROM stdin", 'copy "t" from STDIN with (format csv)'])
def test_copy_data_is_no_statement_and_what_follows_is(
    read: Callable[..., Script], copy: str, data: str
) -> None:
    script = read(f"CREATE TABLE t (a text);\n{copy};\n{data}\\.\nALTER TABLE t DROP a;\n")
    assert [kind for each in script.statements for kind, _ in each.trees] == [
        "CreateStmt",
        "CopyStmt",
        "AlterTableStmt",
    ]
    assert script.statements[-1].line == 4 + data.count("\n")
    assert script.sql.count("\n") == script.text.count("\n")
    assert not data.strip() or data.strip() not in script.sql
    assert not script.troubles


@pytest.mark.parametrize("rest", ["", ";", ";\n1\tx\n", ";\n1\n\\.x"[:4], ";\n 1\n \\.\n"])
def test_copy_data_without_an_end_mark_never_ends(read: Callable[..., Script], rest: str) -> None:
    (trouble,) = read(f"SELECT 1;\nCOPY t FROM stdin{rest}").troubles
    assert trouble.line == 2
    assert "never ends" in trouble.what


@pytest.mark.parametrize(
    "text",
    ["COPY t TO STDOUT;\nSELECT 1", "COPY t FROM '/tmp/x';\nSELECT 1", "SELECT 'COPY t FROM stdin';SELECT 1"],
)
def test_other_copies_have_no_data(read: Callable[..., Script], text: str) -> None:
    script = read(text)
    assert len(script.statements) == 2
    assert not script.troubles


@pytest.mark.parametrize(
    ("text", "conf", "settings", "inside", "trouble"),
    [
        ("SELECT 1", None, {}, True, ""),
        (CONCURRENT, None, {}, False, ""),
        (f"{CONCURRENT};\n-- and\nDROP INDEX CONCURRENTLY j;", None, {}, False, ""),
        ("VACUUM t", None, {}, False, ""),
        ("ALTER SYSTEM SET work_mem = '1MB'; DISCARD ALL", None, {}, False, ""),
        ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", None, {}, False, ""),
        (f"SET lock_timeout = '2s'; {CONCURRENT}", None, {}, False, "only some statements"),
        (f"SET lock_timeout = '2s'; {CONCURRENT}", None, {"mixed": "true"}, False, ""),
        (f"SET lock_timeout = '2s'; {CONCURRENT}", "executeInTransaction=false", {}, False, ""),
        (f"SET lock_timeout = '2s'; {CONCURRENT}", "executeInTransaction: false", {}, False, ""),
        (f"SET lock_timeout = '2s'; {CONCURRENT}", "  executeInTransaction false\n", {}, False, ""),
        ("SELECT 1", None, {"executeInTransaction": "false"}, False, ""),
        ("SELECT 1", "executeInTransaction = true", {"executeInTransaction": "false"}, True, ""),
        (CONCURRENT, "executeInTransaction = true", {}, True, "cannot run in a transaction"),
        ("REINDEX TABLE CONCURRENTLY t", None, {}, True, "cannot run in a transaction"),
        ("REINDEX (VERBOSE) INDEX CONCURRENTLY i", None, {}, True, "cannot run in a transaction"),
        ("ALTER TABLE p DETACH PARTITION q CONCURRENTLY", None, {}, True, "cannot run in a transaction"),
        ("REINDEX TABLE CONCURRENTLY t", "executeInTransaction=false", {}, False, ""),
        ("CLUSTER", None, {}, True, "cannot run in a transaction"),
        ("CLUSTER t", None, {}, True, ""),
        ("BEGIN; SELECT 1; COMMIT;", None, {}, True, "ends Flyway's transaction"),
        ("SELECT 1; ROLLBACK", None, {}, True, "ends Flyway's transaction"),
        ("SAVEPOINT s; ROLLBACK TO s; RELEASE s", None, {}, True, ""),
        ("BEGIN; SELECT 1; COMMIT;", "executeInTransaction=false", {}, False, ""),
        ("\\restrict abc\nSELECT 1", None, {}, True, "psql"),
        ("SELECT 1", "executeInTransactions=false", {}, True, "'executeInTransactions'"),
    ],
)
def test_flyway_decides_whether_a_script_runs_in_a_transaction(
    read: Callable[..., Script],
    text: str,
    conf: str | None,
    settings: dict[str, str],
    inside: bool,
    trouble: str,
) -> None:
    script = read(text, conf, **settings)
    assert script.in_transaction is inside
    assert bool(script.troubles) is bool(trouble)
    assert not trouble or trouble in script.troubles[0].what


def test_a_conf_is_a_java_properties_file() -> None:
    text = "# a\n! b\n a=1\nb : 2\nc 3 4\nd = x\\\n   y\ne\\ f=\\=\ng\n\nh=#1"
    assert properties(text) == {
        "a": "1",
        "b": "2",
        "c": "3 4",
        "d": "xy",
        "e f": "=",
        "g": "",
        "h": "#1",
    }


@pytest.mark.parametrize(
    ("content", "conf", "settings", "text"),
    [
        (b"\xef\xbb\xbfSELECT 1", None, {}, "SELECT 1"),
        ("SELECT 'ä'".encode("latin-1"), None, {"encoding": "ISO-8859-1"}, "SELECT 'ä'"),
        ("SELECT 'ä'".encode("cp1252"), "encoding=windows-1252", {"encoding": "UTF-8"}, "SELECT 'ä'"),
        ("SELECT 'ä'".encode("utf-16"), None, {"encoding": "UTF-16"}, "SELECT 'ä'"),
        ("SELECT 'ä'".encode("latin-1"), None, {"detectEncoding": "true"}, "SELECT 'ä'"),
    ],
)
def test_a_script_is_decoded_as_flyway_is_configured(
    read: Callable[..., Script], content: bytes, conf: str | None, settings: dict[str, str], text: str
) -> None:
    script = read(content, conf, **settings)
    assert script.text == text
    assert not script.troubles


@pytest.mark.parametrize(
    ("content", "settings", "why"),
    [
        ("SELECT 1;\nSELECT 'ä'".encode("latin-1"), {}, "line 2 is not UTF-8"),
        (b"SELECT 1", {"encoding": "klingon"}, "klingon"),
    ],
)
def test_a_script_that_cannot_be_decoded_is_in_trouble(
    read: Callable[..., Script], content: bytes, settings: dict[str, str], why: str
) -> None:
    script = read(content, **settings)
    assert why in script.troubles[0].what
    assert script.statements == ()


def test_a_missing_script_is_in_trouble(tmp_path: Path) -> None:
    assert "cannot be read" in read_script(tmp_path / "V1__x.sql", {}).troubles[0].what


@pytest.mark.parametrize(
    ("text", "settings", "filled"),
    [
        ("SELECT ${A}", {"placeholders__a": "5"}, "SELECT 5"),
        ("-- ${a}\nDO $$ ${a} $$", {"placeholders__A": "x"}, "-- x\nDO $$ x $$"),
        ("SELECT '${flyway:filename}', '${flyway:table}'", {}, "SELECT 'V1__x.sql', 'flyway_schema_history'"),
        ("SET search_path = ${flyway:defaultSchema}", {"schemas": "app,b"}, "SET search_path = app"),
        ("SELECT '${flyway:user}'", {}, "SELECT 'placeholder'"),
        (
            "SELECT #a#, '${b}'",
            {"placeholderPrefix": "#", "placeholderSuffix": "#", "placeholders__a": "1"},
            None,
        ),
        ("SELECT '${a}'", {"placeholderReplacement": "false"}, "SELECT '${a}'"),
    ],
)
def test_placeholders_are_filled_everywhere(
    read: Callable[..., Script], text: str, settings: dict[str, str], filled: str | None
) -> None:
    script = read(text, **settings)
    assert script.text == (filled or "SELECT 1, '${b}'")
    assert not script.troubles


def test_a_conf_turns_placeholders_off(read: Callable[..., Script]) -> None:
    script = read("SELECT '${a}'", "placeholderReplacement=false")
    assert (script.text, script.troubles) == ("SELECT '${a}'", ())


def test_a_placeholder_without_a_value_fails_in_the_migration(read: Callable[..., Script]) -> None:
    (trouble,) = read("SELECT 1;\nSELECT '${nope}'").troubles
    assert trouble.line == 2
    assert '"placeholders.nope" in [database.flyway]' in trouble.what


def test_flyways_own_files_have_settings_that_given_ones_override(tmp_path: Path) -> None:
    (tmp_path / "flyway.conf").write_text("flyway.mixed=true\nflyway.encoding: UTF-16\n")
    (tmp_path / "flyway.toml").write_text(
        '[flyway]\nencoding = "ISO-8859-1"\nexecuteInTransaction = false\n[flyway.placeholders]\na = "x"\n'
        "[environments.default]\nurl = ''\n"
    )
    assert settings_in(tmp_path, {"placeholders.b": "y", "mixed": "false"}) == {
        "mixed": "false",
        "encoding": "ISO-8859-1",
        "executeInTransaction": "false",
        "placeholders.a": "x",
        "placeholders.b": "y",
    }
    (tmp_path / "flyway.toml").write_text("broken")
    assert settings_in(tmp_path, {}) == {"mixed": "true", "encoding": "UTF-16"}
