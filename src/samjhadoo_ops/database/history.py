"""The history table: the plan's query, read with psycopg where the database is reached from here and told by
Flyway's `info` elsewhere, and whether it agrees with what Flyway said.
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
"""Rows that the plan's query (2.2) shows."""


@dataclass(frozen=True)
class Row:
    """A row of the history table, its columns in their order; `info` tells neither rank nor checksum."""

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
    """What the history table holds, the newest first."""

    rows: tuple[Row, ...]

    @property
    def newest(self) -> tuple[Row, ...]:
        """The answer of the plan's query."""
        return self.rows[:SHOWN]

    @property
    def failed(self) -> tuple[Row, ...]:
        """Migrations without a transaction that failed half-way."""
        return tuple(row for row in self.rows if not row.success)

    def succeeded(self, script: str) -> bool:
        """Return whether the script's newest row is a success."""
        return next((row.success for row in self.rows if row.script == script), False)

    def times(self, script: str) -> int:
        """Return how often the script was applied: a repeatable one has a row for each time."""
        return sum(row.success and row.script == script for row in self.rows)


def read(connection: Connection, *, table: str = TABLE, schema: str = "") -> History:
    """Read the history; it is empty when there is no such table yet.

    Raises:
        psycopg.Error: The database is not there, or refused.

    """
    from psycopg import errors, sql

    name = sql.Identifier(schema, table) if schema else sql.Identifier(table)
    # The plan's query without its limit: a failed row may stand further back.
    query = sql.SQL("SELECT * FROM {} ORDER BY installed_rank DESC").format(name)
    with connection.open() as session:
        try:
            rows: Sequence[tuple[Any, ...]] = session.execute(query).fetchall()
        except errors.UndefinedTable:
            rows = []
    return History(tuple(_row(row) for row in rows if row[3] != "SCHEMA"))


def _row(columns: tuple[Any, ...]) -> Row:
    # Flyway stores the script's path below its location; a script is known by its file name everywhere else.
    found = Row(*columns[:10])
    return replace(found, script=PurePath(found.script).name)


def told(info: Mapping[str, Any]) -> History:
    """Return the history as Flyway's `info` tells it."""
    applied = [item for item in info.get("migrations") or () if item.get("installedOnUTC")]
    # As text the moments are in order: all have the same form.
    applied.sort(key=lambda item: str(item["installedOnUTC"]))
    return History(tuple(_told(item) for item in reversed(applied)))


def _told(item: Mapping[str, Any]) -> Row:
    version, description = str(item.get("version") or ""), str(item.get("description") or "")
    called = f"V{version} {description}" if version else f"R {description}"
    return Row(
        installed_rank=None,
        version=version or None,
        description=description,
        type=str(item.get("type") or ""),
        script=PurePath(str(item.get("filepath") or "")).name or called,
        checksum=None,
        installed_by=str(item.get("installedBy") or ""),
        installed_on=datetime.fromisoformat(str(item["installedOnUTC"])),
        execution_time=int(item.get("executionTime") or 0),
        success=not str(item.get("state") or "").startswith("Failed"),
    )


def problems(history: History, *, version: str | None, applied: Sequence[str]) -> Iterator[str]:
    """Yield where the history contradicts Flyway.

    Args:
        history: What the table holds.
        version: The schema's version, as Flyway told it; None when it knows none.
        applied: Scripts that Flyway says it applied.

    """
    for row in history.failed:
        rank = "" if row.installed_rank is None else f" (rank {row.installed_rank})"
        yield f"{row.script} failed half-way on {row.installed_on:%Y-%m-%d %H:%M}{rank}"
    if version and not any(row.version == version and row.success for row in history.rows):
        yield f"Flyway says the schema is at version {version}; no successful row of the history does"
    for script in applied:
        if not history.succeeded(script):
            yield f"Flyway says it applied {script}; no successful row of the history does"
