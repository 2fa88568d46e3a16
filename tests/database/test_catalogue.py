"""What a real PostgreSQL describes of its schema, and what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database.catalogue import Catalogue, described
from samjhadoo_ops.database.effects import Effects
from samjhadoo_ops.database.script import split

if TYPE_CHECKING:
    from real_services import PostgresServer

SCHEMA = """
CREATE SCHEMA "Other";
CREATE TYPE mood AS ENUM ('a');
CREATE TYPE pair AS (a int, b int);
CREATE DOMAIN word AS text;
CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Odd name" varchar(10) NOT NULL,
    m numeric(8, 2) DEFAULT 1.5, tags text[], at timestamptz DEFAULT now(), feeling mood, gone int);
ALTER TABLE t DROP COLUMN gone;
CREATE TABLE nothing ();
CREATE TABLE "Other".c (t_id bigint CONSTRAINT c_fk REFERENCES t (id), x int CHECK (x > 0), w word);
CREATE VIEW v AS SELECT *, 1 AS one FROM t;
CREATE MATERIALIZED VIEW mv AS SELECT id AS key FROM v;
CREATE UNIQUE INDEX odd ON t ("Odd name");
CREATE SEQUENCE q;
CREATE FUNCTION f(a int, b text DEFAULT ';') RETURNS TABLE (x int) LANGUAGE plpgsql AS
    $$BEGIN DELETE FROM t; RETURN; END$$;
CREATE PROCEDURE p() LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
CREATE TABLE parts (i int) PARTITION BY LIST (i);
CREATE TABLE part PARTITION OF parts DEFAULT;
"""


@pytest.fixture
def catalogue(postgres_server: PostgresServer) -> Catalogue:
    connection = postgres_server.new_database()
    with connection.open() as session:
        session.execute(SCHEMA)
    text = described(connection)
    assert text is not None
    found = Catalogue(complete=True)
    effects = Effects(found)
    effects.follow(split("", text))
    assert not [reason for reason in effects.reasons if "understand" in reason.what]
    return found


def test_the_database_describes_what_it_holds(catalogue: Catalogue) -> None:
    entries = catalogue.entries
    assert {key[1]: entry.kind for key, entry in entries.items() if key[0] == "relation"} == {
        "public.t": "table",
        "public.nothing": "table",
        "Other.c": "table",
        "public.parts": "table",
        "public.part": "table",
        "public.v": "view",
        "public.mv": "materialized view",
        "public.q": "sequence",
        "public.t_id_seq": "sequence",
        "public.t_pkey": "index",
        "public.odd": "index",
    }
    columns = entries["relation", "public.t"].columns
    assert columns is not None
    assert {name: (each.type, each.required, each.default) for name, each in columns.items()} == {
        "id": (("int8",), True, True),
        "Odd name": (("varchar", "10"), True, False),
        "m": (("numeric", "8", "2"), False, True),
        "tags": (("text", "[]"), False, False),
        "at": (("timestamptz",), False, True),
        "feeling": (("mood",), False, False),
    }
    assert list(entries["relation", "public.v"].columns or ()) == [*columns, "one"]
    assert list(entries["relation", "public.mv"].columns or ()) == ["key"]
    assert entries["relation", "public.mv"].uses == {"public.v"}
    assert entries["relation", "public.odd"].unique
    assert {("type", "public.mood"), ("type", "public.pair"), ("type", "public.word")} <= entries.keys()
    assert {("function", "public.f(int4,text)"), ("function", "public.p()")} <= entries.keys()
    assert ("schema", "Other") in entries
    assert ("extension", "plpgsql") in entries
    assert {key[1]: each.kind for key, each in entries.items() if key[0] == "constraint"} == {
        "public.t.t_pkey": "primary key",
        "Other.c.c_fk": "foreign key",
        "Other.c.c_x_check": "check",
    }
    assert not any(entry.origin for entry in entries.values())


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("DROP VIEW v; CREATE VIEW v AS SELECT *, 1 AS one FROM t", ["drops the view v and makes it again"]),
        (
            'DROP VIEW v; CREATE VIEW v AS SELECT id, "Odd name" FROM t',
            ["drops the view v and makes it again, without m, tags, at, feeling, one"],
        ),
        ("SELECT f(1)", ["deletes all rows of t"]),
        ('ALTER TABLE "Other".c DROP CONSTRAINT c_fk', []),
        ("ALTER TABLE t DROP CONSTRAINT t_pkey", ["drops the constraint t_pkey (primary key) of t"]),
        (
            "ALTER TABLE t ALTER m TYPE numeric(10, 2)",
            ["changes the type of t.m to numeric(10,2), which the view v reads"],
        ),
    ],
)
def test_statements_are_judged_against_it(catalogue: Catalogue, text: str, reasons: list[str]) -> None:
    effects = Effects(catalogue)
    effects.follow(split("V1__x.sql", text))
    assert [each.what for each in effects.reasons] == reasons


def test_a_database_that_does_not_answer_describes_nothing(postgres_server: PostgresServer) -> None:
    assert described(replace(postgres_server.new_database(), port=1)) is None
