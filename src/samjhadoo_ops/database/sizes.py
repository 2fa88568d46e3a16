"""How large the tables of a database are: what is empty has nothing to block or to lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.database.connection import Connection

_QUERY = """
SELECT n.nspname || '.' || c.relname, CASE c.relkind WHEN 'p' THEN (
    SELECT coalesce(sum(pg_table_size(relid)), 0) FROM pg_partition_tree(c.oid) WHERE isleaf
  ) ELSE CASE pg_relation_size(c.oid) WHEN 0 THEN 0 ELSE pg_table_size(c.oid) END END::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


def table_sizes(connection: Connection) -> dict[str, int] | None:
    """Return the bytes of each table and materialized view, by `schema.table`; 0 for one without a row.

    None if the database does not answer in time: a locked table would have to be waited for.
    """
    import psycopg

    try:
        with connection.open() as session:
            session.execute("SET lock_timeout = '1s'")
            return {str(name): int(size or 0) for name, size in session.execute(_QUERY)}
    except psycopg.Error:
        return None
