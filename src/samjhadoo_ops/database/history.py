"""Flyway's history table, and whether it agrees with Flyway's results.

It is read with psycopg if the database can be reached from here, and from the output of `info` otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from samjhadoo_ops.database.connection import Connection

TABLE = "flyway_schema_history"
SHOWN = 5
"""How many rows the plan's query (2.2) shows."""


@dataclass(frozen=True)
class Row:
    """A row of the history table, with its columns in order; `info` has neither rank nor checksum."""

    installed_rank: int | None
    version: str | None
    description: str
    type: str
    script: str
    checksum: int | None
    installed_by: str
    installed_on: datetime
    execution_time: int
    success: bool


@dataclass(frozen=True)
class History:
    """The rows of the history table, newest first."""

    rows: tuple[Row, ...]

    @property
    def newest(self) -> tuple[Row, ...]:
        """The rows that the plan's query shows."""
        return self.rows[:SHOWN]

    @property
    def failed(self) -> tuple[Row, ...]:
        """Migrations that failed half-way, outside a transaction."""
        return tuple(row for row in self.rows if not row.success)

    def succeeded(self, script: str) -> bool:
        """Return whether the script's newest row is a success."""
        return next((row.success for row in self.rows if row.script == script), False)

    def times(self, script: str) -> int:
        """Return how often a script was applied; a repeatable one has a row for each time."""
        return sum(row.success and row.script == script for row in self.rows)


def read(connection: Connection, *, table: str = TABLE, schema: str = "") -> History:
    """Read the history, empty without a table; raise `psycopg.Error` if the database does not answer."""
    from psycopg import errors, sql

    name = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    # The plan's query without its limit, because a failed row may be older.
    query = sql.SQL("SELECT * FROM {} ORDER BY installed_rank DESC").format(name)
    with connection.open() as session:
        try:
            rows: Sequence[tuple[Any, ...]] = session.execute(query).fetchall()
        except errors.UndefinedTable:
            rows = []
    return History(tuple(_row(row) for row in rows if row[3] != "SCHEMA"))


def _row(columns: tuple[Any, ...]) -> Row:
    # Flyway stores the script's path below its location; everywhere else its file name identifies it.
    found = Row(*columns[:10])
    return replace(found, script=PurePath(found.script).name)


def from_info(info: Mapping[str, Any]) -> History:
    """Return the history from the output of Flyway's `info`."""
    applied = [item for item in info.get("migrations") or () if item.get("installedOnUTC")]
    # All times have the same format, so that text sorts by time.
    applied.sort(key=lambda item: str(item["installedOnUTC"]))
    return History(tuple(_info_row(item) for item in reversed(applied)))


def _info_row(item: Mapping[str, Any]) -> Row:
    version, description = str(item.get("version") or ""), str(item.get("description") or "")
    name = f"V{version} {description}" if version else f"R {description}"
    return Row(
        installed_rank=None,
        version=version or None,
        description=description,
        type=str(item.get("type") or ""),
        script=PurePath(str(item.get("filepath") or "")).name or name,
        checksum=None,
        installed_by=str(item.get("installedBy") or ""),
        installed_on=datetime.fromisoformat(str(item["installedOnUTC"])),
        execution_time=int(item.get("executionTime") or 0),
        success=not str(item.get("state") or "").startswith("Failed"),
    )


def problems(history: History, *, version: str | None, applied: Sequence[str]) -> Iterator[str]:
    """Yield the contradictions between the history and Flyway's results.

    Args:
        version: The schema's version according to Flyway; None if there is none.
        applied: The scripts that were applied according to Flyway.
    """
    for row in history.failed:
        rank = "" if row.installed_rank is None else f" (rank {row.installed_rank})"
        yield f"{row.script} failed half-way on {row.installed_on:%Y-%m-%d %H:%M}{rank}"
    if version and not any(row.version == version and row.success for row in history.rows):
        yield f"Flyway reports version {version}, but the history has no successful row for it"
    for script in applied:
        if not history.succeeded(script):
            yield f"Flyway reports that it applied {script}, but the history has no successful row for it"
