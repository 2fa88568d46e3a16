from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database.risks import Risk, RiskKind, Tables, find_risks
from samjhadoo_ops.database.script import Script, read_script, split
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from real_services import PostgresServer

MIB = 1024**2
SCHEMA = """
CREATE TABLE users (
    id bigserial PRIMARY KEY, name varchar(50) NOT NULL, email varchar(255), age int, bio text,
    balance numeric(10,2), created timestamp, seen timestamptz, code char(3), ip cidr, payload json
);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint NOT NULL, state varchar(20), total numeric(10,2));
CREATE MATERIALIZED VIEW totals AS SELECT user_id, sum(total) FROM orders GROUP BY user_id;
CREATE DOMAIN amount AS numeric;
"""
_NOT_HERE = "OWNER|adult TO|DROP CONSTR|USING INDEX|unheard|TABLESPACE|uuid_gen|EXCLUDE|PRIMARY|text NOT NULL"
L, W, X, F = RiskKind.LOCK, RiskKind.REWRITE, RiskKind.DATA_LOSS, RiskKind.FAILURE


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., Script]:
    def read(sql: str, name: str = "V2__x.sql", **settings: str) -> Script:
        path = tmp_path / name
        path.write_text(sql)
        return read_script(path, settings)

    return read


@pytest.fixture
def risks(script: Callable[..., Script]) -> Callable[..., list[Risk]]:
    """What a script may do to a database of large tables, or of those that are named."""

    def find(*sql: str, alone: bool = False, sizes: dict[str, int] | None = None) -> list[Risk]:
        before = script(SCHEMA, "V1__schema.sql")
        pending = [script(text, f"V{number}__x.sql") for number, text in enumerate(sql, start=2)]
        tables = Tables(sizes, 10 * MIB)
        return find_risks(pending, tables, before=[before], alone=alone)

    return find


HARMLESS = [
    # columns
    "ALTER TABLE users ADD COLUMN nick text",
    "ALTER TABLE users ADD COLUMN IF NOT EXISTS nick text, ADD COLUMN zip varchar(10)",
    "ALTER TABLE users ADD COLUMN active boolean NOT NULL DEFAULT false",
    "ALTER TABLE users ADD COLUMN since timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE users ADD COLUMN day date DEFAULT CURRENT_DATE",
    "ALTER TABLE users ADD COLUMN tags jsonb DEFAULT '{}'::jsonb NOT NULL",
    "ALTER TABLE users ADD COLUMN boss bigint REFERENCES users (id)",
    "ALTER TABLE users ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE users ALTER COLUMN age SET DEFAULT 0",
    "ALTER TABLE users ALTER COLUMN name SET NOT NULL",
    "ALTER TABLE users ALTER COLUMN age DROP DEFAULT",
    "ALTER TABLE users ALTER COLUMN name TYPE varchar(100)",
    "ALTER TABLE users ALTER COLUMN name TYPE varchar",
    "ALTER TABLE users ALTER COLUMN name SET DATA TYPE text",
    "ALTER TABLE users ALTER COLUMN name TYPE text USING name::text",
    "ALTER TABLE users ALTER COLUMN bio TYPE varchar",
    "ALTER TABLE users ALTER COLUMN balance TYPE numeric(14,2)",
    "ALTER TABLE users ALTER COLUMN balance TYPE numeric",
    "ALTER TABLE users ALTER COLUMN ip TYPE inet",
    "ALTER TABLE users ALTER COLUMN age TYPE integer",
    "ALTER TABLE users RENAME COLUMN age TO years",
    "ALTER TABLE users RENAME TO people",
    "ALTER TABLE users DROP COLUMN age",
    "ALTER TABLE users ALTER COLUMN bio SET STORAGE EXTERNAL",
    "ALTER TABLE users SET (autovacuum_vacuum_scale_factor = 0.01)",
    "ALTER TABLE users OWNER TO app",
    # constraints and indexes
    "ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17) NOT VALID",
    "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID",
    "ALTER TABLE orders VALIDATE CONSTRAINT fk",
    "ALTER TABLE users DROP CONSTRAINT adult",
    "ALTER TABLE users RENAME CONSTRAINT adult TO grown_up",
    "ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email_idx",
    "ALTER INDEX users_name_idx RENAME TO users_names",
    "CREATE INDEX CONCURRENTLY i ON users (age)",
    "CREATE INDEX CONCURRENTLY i ON users (age); CREATE INDEX CONCURRENTLY IF NOT EXISTS j ON users (bio)",
    "CREATE UNIQUE INDEX CONCURRENTLY i ON users (email)",
    "DROP INDEX users_name_idx",
    "DROP INDEX CONCURRENTLY IF EXISTS users_name_idx",
    "REINDEX TABLE CONCURRENTLY users",
    # what the script makes itself
    "CREATE TABLE z (id smallint, kind char(1), at timestamp, n serial)",
    "CREATE TABLE z (i int); CREATE INDEX ON z (i); ALTER TABLE z ADD CHECK (i > 0), ADD UNIQUE (i)",
    "CREATE TABLE z (i int); ALTER TABLE z ALTER i TYPE bigint, ALTER i SET NOT NULL, ADD j int NOT NULL",
    "CREATE TABLE z (u bigint); ALTER TABLE z ADD FOREIGN KEY (u) REFERENCES users (id)",
    "CREATE TABLE z (u bigint REFERENCES users (id)); ALTER TABLE z RENAME TO y; CREATE INDEX ON y (u)",
    "CREATE TABLE z AS SELECT * FROM users; CREATE INDEX ON z (id); DELETE FROM z",
    "CREATE TEMP TABLE z (i int); TRUNCATE z; DROP TABLE z",
    "SELECT id INTO z FROM users; UPDATE z SET id = 1",
    "CREATE MATERIALIZED VIEW m AS SELECT 1 AS i; CREATE UNIQUE INDEX ON m (i); REFRESH MATERIALIZED VIEW m",
    "CREATE SCHEMA app; CREATE TABLE app.z (i int); SET search_path = app; CREATE INDEX ON z (i)",
    "CREATE TABLE part PARTITION OF log FOR VALUES IN (1); CREATE INDEX ON part (id)",
    # views, functions, triggers, types, rights
    "DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT id FROM users",
    "CREATE OR REPLACE VIEW v AS SELECT id, name FROM users",
    "DROP FUNCTION IF EXISTS f(int); CREATE FUNCTION f(i int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "DROP TRIGGER IF EXISTS audit ON users; CREATE TRIGGER audit BEFORE UPDATE ON users EXECUTE FUNCTION f()",
    "CREATE TYPE mood AS ENUM ('sad', 'happy')",
    "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'angry'",
    "ALTER DOMAIN amount ADD CONSTRAINT positive CHECK (VALUE > 0) NOT VALID",
    "REFRESH MATERIALIZED VIEW CONCURRENTLY totals",
    "GRANT SELECT ON users TO reader",
    "COMMENT ON TABLE users IS 'people'",
    "CREATE EXTENSION IF NOT EXISTS pgcrypto",
    "ALTER SEQUENCE users_id_seq OWNED BY users.id",
    # rows
    "INSERT INTO orders (id, user_id) VALUES (1, 1) ON CONFLICT DO NOTHING",
    "UPDATE users SET age = 18 WHERE id = 7",
    "UPDATE users SET age = 18 WHERE age IS NULL",
    "DELETE FROM orders WHERE state = 'draft'",
    "DELETE FROM orders USING users WHERE users.id = orders.user_id AND users.age < 0",
    "ALTER TABLE users ADD vip boolean; UPDATE users SET vip = true WHERE id IN (1, 2)",
    "LOCK TABLE users IN ROW EXCLUSIVE MODE",
    "VACUUM ANALYZE users",
    "ANALYZE users",
    "SET lock_timeout = '2s'; ALTER TABLE users ADD nick text",
    "SET lock_timeout = 0; CREATE TABLE z (i int); ALTER TABLE z ADD j int",
    "ALTER TABLE IF EXISTS users ADD nick text",
    "ALTER VIEW v ALTER COLUMN n SET DEFAULT 1",
]
RISKY = [
    ("CREATE INDEX i ON users (age)", {L}),
    ("CREATE UNIQUE INDEX IF NOT EXISTS i ON public.users USING btree (email) WHERE age > 1", {L}),
    ("ALTER TABLE users ADD CONSTRAINT adult CHECK (age > 17)", {L}),
    (
        "ALTER TABLE orders ADD CONSTRAINT fk FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
        {L},
    ),
    ("ALTER TABLE users ADD UNIQUE (email)", {L}),
    ("ALTER TABLE users ADD PRIMARY KEY (id)", {L}),
    ("ALTER TABLE users ADD EXCLUDE USING gist (ip WITH &&)", {L}),
    ("ALTER TABLE users ALTER COLUMN age SET NOT NULL", {L}),
    ("ALTER TABLE users ADD COLUMN age2 int CHECK (age2 > 0)", {L}),
    ("ALTER TABLE users ADD COLUMN nick text UNIQUE", {L}),
    ("ALTER TABLE users ADD COLUMN boss bigint DEFAULT 1 REFERENCES users (id)", {L}),
    (
        "ALTER TABLE users ADD CONSTRAINT k CHECK (id>0) NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT k",
        {L},
    ),
    ("UPDATE users SET age = 18", {L}),
    ("UPDATE users SET age = 18 WHERE true", {L}),
    ("UPDATE orders SET state = u.name FROM users u", {L}),
    ("ALTER TABLE users ADD nick text; UPDATE users SET nick = name WHERE nick IS NULL", {L}),
    ("ALTER TABLE users ADD a text; UPDATE users u SET a = t.b FROM t WHERE lower(u.name) = lower(t.c)", {L}),
    ("ALTER TABLE users ADD a text; UPDATE users SET a = 'x' WHERE age <> 5", {L}),
    ("ALTER TABLE users ALTER name DROP NOT NULL; ALTER TABLE users ALTER name SET NOT NULL", {L}),
    ("LOCK TABLE users", {L}),
    ("LOCK TABLE users, orders IN EXCLUSIVE MODE", {L}),
    ("REFRESH MATERIALIZED VIEW totals", {L}),
    ("REINDEX TABLE users", {L}),
    ("REINDEX INDEX users_name_idx", {L}),
    ("ALTER DOMAIN amount ADD CONSTRAINT positive CHECK (VALUE > 0)", {L}),
    ("SET lock_timeout = 0; ALTER TABLE users ADD nick text", {L}),
    ("SET LOCAL lock_timeout TO '0s'; ALTER TABLE users RENAME TO people", {L}),
    ("ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid()", {W}),
    ("ALTER TABLE users ADD COLUMN token uuid NOT NULL DEFAULT uuid_generate_v4()", {W}),
    ("ALTER TABLE users ADD COLUMN at timestamptz DEFAULT clock_timestamp()", {W}),
    ("ALTER TABLE users ADD COLUMN luck float DEFAULT (random() * 6)::int", {W}),
    ("ALTER TABLE users ADD COLUMN number serial", {W}),
    ("ALTER TABLE users ADD COLUMN number bigserial NOT NULL", {W}),
    ("ALTER TABLE users ADD COLUMN number bigint GENERATED BY DEFAULT AS IDENTITY", {W}),
    ("ALTER TABLE users ADD COLUMN low text GENERATED ALWAYS AS (lower(name)) STORED", {W}),
    ("ALTER TABLE users ADD COLUMN number serial PRIMARY KEY", {L, W}),
    ("ALTER TABLE users ALTER COLUMN id TYPE bigint USING id + 1", {W}),
    ("ALTER TABLE users ALTER COLUMN age TYPE bigint", {W}),
    ("ALTER TABLE users ALTER COLUMN age TYPE text", {W}),
    ("ALTER TABLE users ALTER COLUMN name TYPE varchar(20)", {W}),
    ("ALTER TABLE users ALTER COLUMN bio TYPE varchar(255)", {W}),
    ("ALTER TABLE users ALTER COLUMN code TYPE char(5)", {W}),
    ("ALTER TABLE users ALTER COLUMN code TYPE text", {W}),
    ("ALTER TABLE users ALTER COLUMN balance TYPE numeric(14,4)", {W}),
    ("ALTER TABLE users ALTER COLUMN created TYPE timestamptz USING created AT TIME ZONE 'UTC'", {W}),
    ("ALTER TABLE users ALTER COLUMN payload TYPE jsonb USING payload::jsonb", {W}),
    ("ALTER TABLE users ALTER COLUMN unheard_of TYPE varchar(80)", {W}),
    ("ALTER TABLE users ALTER COLUMN unheard_of TYPE text USING unheard_of::text", {W}),
    ("VACUUM FULL users", {W}),
    ("VACUUM (FULL, ANALYZE) users", {W}),
    ("CLUSTER users USING users_pkey", {W}),
    ("ALTER TABLE users SET TABLESPACE fast", {W}),
    ("ALTER TABLE users SET UNLOGGED", {W, X}),
    ("TRUNCATE orders", {X}),
    ("TRUNCATE TABLE orders, users RESTART IDENTITY CASCADE", {X}),
    ("DELETE FROM orders", {X}),
    ("DELETE FROM orders WHERE 1 = 1", {X}),
    ("DROP DATABASE old", {X}),
    ("ALTER TABLE users ADD COLUMN nick text NOT NULL", {F}),
    ("ALTER TABLE users ADD nick text; ALTER TABLE users ALTER nick SET NOT NULL", {F}),
    (
        "ALTER TABLE users ADD a text; UPDATE users SET a = 1; ALTER TABLE users ALTER a SET NOT NULL",
        {L},
    ),
    ("DO $$ BEGIN CREATE INDEX i ON users (age); END $$", {L}),
    ("DO $$ BEGIN IF true THEN EXECUTE 'TRUNCATE orders'; END IF; END $$", {X}),
    ("CREATE TABLE z (i int); CREATE INDEX ON z (i); CREATE INDEX ON users (age)", {L}),
    ("CREATE TABLE archive.users (i int); CREATE INDEX ON public.users (age)", {L}),
    ("/* one */ TRUNCATE -- two\n orders", {X}),
    ("COPY orders (id, user_id) FROM stdin;\n1\t'(\n\\.\nTRUNCATE users", {X}),
]

ALTERATIONS = [
    sql
    for sql in (*HARMLESS, *(risky for risky, _ in RISKY))
    if sql.startswith("ALTER TABLE users") and ";" not in sql and not re.search(_NOT_HERE, sql)
]
PREPARED = f"""
{SCHEMA};
INSERT INTO users (name, age, email, code) VALUES ('Ann', 30, 'a@b', 'abc');
"""


@pytest.mark.parametrize("sql", HARMLESS)
def test_what_blocks_nobody_and_loses_nothing_is_no_risk(risks: Callable[..., list[Risk]], sql: str) -> None:
    assert [str(each) for each in risks(sql)] == []


@pytest.mark.parametrize(("sql", "kinds"), RISKY)
def test_what_locks_rewrites_loses_or_fails_is_found(
    risks: Callable[..., list[Risk]], sql: str, kinds: set[RiskKind]
) -> None:
    found = risks(sql)
    assert {each.kind for each in found} == kinds, list(map(str, found))
    assert all(each.what and each.remedy for each in found)


def test_a_risk_names_the_line_of_its_statement(risks: Callable[..., list[Risk]]) -> None:
    (found,) = risks("-- why\nSELECT 1;\n\nCREATE INDEX i\n  ON users (age);\n")
    assert str(found) == "V2__x.sql:4: lock: nobody can write to users while the index is built"
    assert "CONCURRENTLY" in found.remedy


@pytest.mark.parametrize(
    ("sizes", "kinds"),
    [
        pytest.param({}, set(), id="a-table-that-does-not-exist"),
        pytest.param({"public.users": 0, "public.orders": 0}, set(), id="an-empty-table"),
        pytest.param({"public.users": MIB, "public.orders": MIB}, {X, F}, id="a-small-table"),
        pytest.param({"app.users": 11 * MIB, "app.orders": MIB}, {L, W, X, F}, id="a-large-table"),
        pytest.param(None, {L, W, X, F}, id="not-known"),
    ],
)
def test_only_rows_that_exist_are_blocked_or_lost(
    risks: Callable[..., list[Risk]], sizes: dict[str, int] | None, kinds: set[RiskKind]
) -> None:
    sql = (
        "CREATE INDEX ON users (age); ALTER TABLE users ALTER age TYPE bigint, ADD b int NOT NULL;"
        "DELETE FROM orders; CLUSTER users; UPDATE users SET age = 1"
    )
    assert {each.kind for each in risks(sql, sizes=sizes)} == kinds


def test_a_renamed_table_keeps_its_size(risks: Callable[..., list[Risk]]) -> None:
    sql = "ALTER TABLE users RENAME TO people; CREATE INDEX ON people (age)"
    assert risks(sql, sizes={"public.users": MIB}) == []
    assert [each.kind for each in risks(sql, sizes={"public.users": 99 * MIB})] == [L]


def test_a_table_that_exists_already_is_not_made_by_the_script(risks: Callable[..., list[Risk]]) -> None:
    sql = "CREATE TABLE IF NOT EXISTS users (id int); CREATE INDEX ON users (id)"
    assert [each.kind for each in risks(sql, sizes={"public.users": 99 * MIB})] == [L]
    assert risks(sql, sizes={}) == []


@pytest.mark.parametrize("schema", ["public", "app"])
@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ("ALTER name TYPE varchar(99)", set()),
        ("ALTER name TYPE varchar(9)", {W}),
        ("ALTER name SET NOT NULL", set()),
        ("ALTER email SET NOT NULL", {L}),
    ],
)
def test_columns_are_known_whether_or_not_a_script_names_the_schema(
    script: Callable[..., Script], schema: str, change: str, kinds: set[RiskKind]
) -> None:
    described = f"CREATE TABLE {schema}.users (name character varying(50) NOT NULL, email text)"
    before = split(
        "", f"CREATE TABLE archive.users (name text);{described}" if schema == "public" else described
    )
    for table in ("users", f"{schema}.users"):
        found = find_risks([script(f"ALTER TABLE {table} {change}")], Tables(), before=[before])
        assert {each.kind for each in found} == kinds


def test_what_an_earlier_pending_script_made_is_empty_for_a_later_one(
    risks: Callable[..., list[Risk]],
) -> None:
    assert risks("CREATE TABLE z (i int)", "CREATE INDEX ON z (i)") == []


def test_a_constraint_validated_in_a_script_of_its_own_spares_set_not_null_its_scan(
    risks: Callable[..., list[Risk]],
) -> None:
    scripts = (
        "ALTER TABLE users ADD CONSTRAINT known CHECK (age IS NOT NULL) NOT VALID",
        "ALTER TABLE users VALIDATE CONSTRAINT known",
        "ALTER TABLE users ALTER COLUMN age SET NOT NULL; ALTER TABLE users DROP CONSTRAINT known",
    )
    assert risks(*scripts) == []
    assert [each.script for each in risks(scripts[0], scripts[2])] == ["V3__x.sql"]


@pytest.mark.parametrize(
    "sql", ["DROP TABLE orders", "DROP SCHEMA app CASCADE", "ALTER TABLE users DROP COLUMN age"]
)
def test_what_is_dropped_is_lost_where_no_judge_looks_at_it(
    risks: Callable[..., list[Risk]], sql: str
) -> None:
    assert risks(sql) == []
    assert [each.kind for each in risks(sql, alone=True)] == [X]


@pytest.mark.parametrize(
    ("comment", "accepted"),
    [
        ("-- accept: lock", True),
        ("--accept: rewrite, LOCK", True),
        ("-- accept: lock\n-- (ten rows)", True),
        ("-- accept: rewrite", False),
        ("-- accept: lock\nSELECT 1;", False),
        ("-- lock", False),
    ],
)
def test_a_comment_above_a_statement_accepts_its_risk(
    risks: Callable[..., list[Risk]], comment: str, accepted: bool
) -> None:
    (found,) = risks(f"SELECT 0;\n{comment}\nCREATE INDEX ON users (age);")
    assert found.accepted is accepted


def test_outside_a_transaction_no_lock_outlives_its_statement(
    script: Callable[..., Script],
) -> None:
    sql = "ALTER TABLE users ADD nick text; UPDATE users SET nick = name WHERE nick IS NULL"
    outside = script(sql, executeInTransaction="false")
    assert find_risks([outside], Tables()) == []
    assert len(find_risks([script(sql)], Tables())) == 1


def test_the_projects_own_migrations_pass() -> None:
    env = load_environment("local", variables={})
    scripts = [path for folder in env.database.migrations for path in (env.root / folder).glob("*.sql")]
    assert scripts
    assert find_risks([read_script(path, {}) for path in sorted(scripts)], Tables()) == []


@pytest.mark.parametrize("sql", ALTERATIONS)
def test_postgresql_rewrites_a_table_exactly_when_that_is_found(
    postgres_server: PostgresServer, risks: Callable[..., list[Risk]], sql: str
) -> None:
    with postgres_server.new_database().open() as session:
        session.execute(PREPARED)
        session.execute("SET TimeZone = 'Asia/Kolkata'")
        file = "SELECT relfilenode FROM pg_class WHERE oid = %s"
        (table,) = session.execute("SELECT 'users'::regclass::oid").fetchone()
        before = session.execute(file, (table,)).fetchone()
        session.execute(sql)
        rewritten = session.execute(file, (table,)).fetchone() != before
    assert (W in {each.kind for each in risks(sql)}) is rewritten
