"""What a schema holds, as far as a judgement of migrations needs it.

A database describes its own as statements, so that statements are all that a catalogue is made of.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from samjhadoo_ops.database.connection import Connection

Node = dict[str, Any]
"""A node of PostgreSQL's parse tree."""
RELATION, TYPE, FUNCTION, SCHEMA, EXTENSION, CONSTRAINT = (
    *("relation", "type", "function", "schema", "extension", "constraint"),
)
Key = tuple[str, str]
"""A kind and a qualified name; tables, views, indexes and sequences share the kind RELATION."""


@dataclass
class Column:
    """A column: its type as the parser names it, with the numbers in brackets."""

    type: tuple[str, ...] = ()
    required: bool = False
    default: bool = False
    origin: str = ""


@dataclass
class Entry:
    """Something in a schema.

    Attributes:
        kind: Its kind in words: table, view, index, …
        origin: The pending script that made it; empty for what was there before.
        columns: None if they are not known.
        unique: For an index or a constraint: whether it keeps values unique.
        uses: For a view: the relations that it reads.
        reads: For a view: the names of the columns that it reads.
        definition: For a function: its statement; else its signature is part of the name.
    """

    kind: str
    origin: str = ""
    columns: dict[str, Column] | None = None
    unique: bool = False
    uses: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()
    definition: Node = field(default_factory=dict)


@dataclass
class Catalogue:
    """What is known of a schema.

    Attributes:
        complete: Whether what is not in it does not exist.
        path: Where names without a schema are looked up, in order.
    """

    complete: bool = False
    path: tuple[str, ...] = ("public",)
    entries: dict[Key, Entry] = field(default_factory=dict)

    def key(self, kind: str, names: Sequence[str]) -> Key:
        """Return the key of a name: that of the first schema of the path that has it."""
        if len(names) > 1 or kind in {SCHEMA, EXTENSION}:
            return kind, ".".join(names[-2:])
        keys = [(kind, f"{schema}.{names[-1]}") for schema in self.path] or [(kind, names[-1])]
        return next((key for key in keys if key in self.entries), keys[0])

    def get(self, key: Key) -> Entry | None:
        """Return the entry, if it is known."""
        return self.entries.get(key)

    def functions(self, names: Sequence[str]) -> list[Key]:
        """Return the keys of all functions of a name."""
        starts = [f"{names[-2]}."] if len(names) > 1 else [f"{schema}." for schema in self.path]
        wanted = {f"{start}{names[-1]}" for start in starts}
        return [key for key in self.entries if key[0] == FUNCTION and key[1].partition("(")[0] in wanted]

    def readers(self, name: str) -> list[Key]:
        """Return the keys of the views that read a relation."""
        return [key for key, entry in self.entries.items() if name in entry.uses]


def strings(items: Any) -> list[str]:
    """Return the texts of a list of String nodes."""
    return [each["String"]["sval"] for each in items or () if "String" in each]


def relation_names(relation: Node) -> list[str]:
    """Return the names in a RangeVar: schema and relation."""
    return [*filter(None, [relation.get("schemaname")]), relation["relname"]]


def type_of(node: Node) -> tuple[str, ...]:
    """Return a TypeName as a tuple: its name without pg_catalog, then the numbers in brackets."""
    names = [name for name in strings(node.get("names")) if name != "pg_catalog"]
    numbers = [
        str(each["A_Const"].get("ival", {}).get("ival", 0))
        for each in node.get("typmods", ())
        if "A_Const" in each
    ]
    bounds = ["[]"] if node.get("arrayBounds") else []
    return (".".join(names), *numbers, *bounds)


def find(node: Any, kind: str) -> Iterator[Node]:
    """Yield all nodes of a kind within a tree."""
    if isinstance(node, dict):
        for name, inner in node.items():
            if name == kind and isinstance(inner, dict):
                yield inner
            yield from find(inner, kind)
    elif isinstance(node, list):
        for inner in node:
            yield from find(inner, kind)


def described(connection: Connection) -> str | None:
    """Return the database's schema as statements, without reading a row; None if it refuses."""
    import psycopg

    try:
        with connection.open() as session:
            return ";\n".join(row[0] for row in session.execute(_STATEMENTS) if row[0])
    except psycopg.Error:
        return None


_OWN = "n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'"
_STATEMENTS = f"""
SELECT format('CREATE SCHEMA IF NOT EXISTS %I', n.nspname) FROM pg_namespace n WHERE {_OWN}
UNION ALL SELECT format('CREATE EXTENSION %I', extname) FROM pg_extension
UNION ALL SELECT format(CASE t.typtype WHEN 'd' THEN 'CREATE DOMAIN %I.%I AS text' WHEN 'e'
    THEN 'CREATE TYPE %I.%I AS ENUM ()' ELSE 'CREATE TYPE %I.%I AS ()' END, n.nspname, t.typname)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE {_OWN} AND (t.typtype IN ('d', 'e') OR t.typtype = 'c' AND c.relkind = 'c')
UNION ALL SELECT format('CREATE SEQUENCE %I.%I', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OWN} AND c.relkind = 'S'
UNION ALL SELECT format('CREATE TABLE %I.%I (%s)', n.nspname, c.relname, string_agg(format('%I %s%s%s',
    a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN ' NOT NULL' END,
    CASE WHEN a.atthasdef OR a.attidentity <> '' THEN ' DEFAULT 0' END), ', ' ORDER BY a.attnum)
    FILTER (WHERE a.attnum > 0))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE {_OWN} AND c.relkind IN ('r', 'p', 'f') GROUP BY n.nspname, c.relname
UNION ALL SELECT format('CREATE %s %I.%I AS %s', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW'
    END, n.nspname, c.relname, rtrim(pg_get_viewdef(c.oid), '; '))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OWN} AND c.relkind IN ('v', 'm')
UNION ALL SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OWN}
UNION ALL SELECT format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname,
    pg_get_constraintdef(k.oid)) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OWN} AND k.contype IN ('p', 'u', 'c', 'f', 'x')
UNION ALL SELECT rtrim(pg_get_functiondef(p.oid), E'\\n ') FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE {_OWN} AND p.prokind IN ('f', 'p') AND NOT EXISTS
    (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
"""  # noqa: S608 - made of constants
