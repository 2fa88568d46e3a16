"""Parse Flyway's output with `-outputType=json`; nothing here does I/O.

Observed with Flyway 12.4: several commands in one run print `{"individualResults": […]}`, a single one prints
its result alone. A failed `migrate` prints its usual result with `success: false` and `error`; any other
failure prints only `{"error": …}`. `validate` exits with 0 whatever it finds.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

_SQL_MESSAGE = re.compile(r"^Message\s*: (.*?)(?=^Location\s*:|^Line\s*:|\Z)", re.MULTILINE | re.DOTALL)


class AnswerError(ValueError):
    """Flyway's output is not the expected JSON."""


@dataclass(frozen=True)
class Migration:
    """A migration script and its state.

    Args:
        version: The version; empty for a repeatable migration.
        description: The description from the script's name.
        state: Flyway's state: Pending, Success, Failed, Future, Outdated, …
        path: The script's path; empty if the script no longer exists.
    """

    version: str
    description: str
    state: str
    path: str = ""

    @property
    def script(self) -> str:
        """The script's file name, or its version and description."""
        return PurePath(self.path).name or str(self)

    @property
    def pending(self) -> bool:
        """Whether `migrate` would run it."""
        return self.state == "Pending"

    def __str__(self) -> str:
        return f"V{self.version} {self.description}" if self.version else f"R {self.description}"


@dataclass(frozen=True)
class Invalid:
    """A migration that `validate` rejects."""

    migration: Migration
    code: str
    message: str


@dataclass(frozen=True)
class Inspection:
    """The results of `info` and `validate`."""

    version: str | None
    migrations: tuple[Migration, ...]
    invalid: tuple[Invalid, ...]
    objection: str = ""
    schema: str | None = None
    """What the database holds, as statements; None if it was not asked."""

    @property
    def pending(self) -> tuple[Migration, ...]:
        """The migrations that `migrate` would run, in order."""
        return tuple(migration for migration in self.migrations if migration.pending)

    def times(self, script: str) -> int:
        """Return how often a script was applied; Flyway lists a repeatable one once for each time."""
        return sum(each.script == script and not each.pending for each in self.migrations)

    @property
    def half_way(self) -> tuple[Migration, ...]:
        """Migrations that failed outside a transaction and were not repaired; `validate` may miss them."""
        return tuple(migration for migration in self.migrations if migration.state.startswith("Failed"))

    @property
    def valid(self) -> bool:
        """Whether the scripts match the applied migrations."""
        return not self.objection and not self.invalid and not self.half_way


@dataclass(frozen=True)
class FlywayFailure:
    """Why Flyway failed; path, line and SQL state are set only if a statement failed."""

    code: str
    message: str
    sql_state: str = ""
    path: str = ""
    line: int = 0

    @property
    def script(self) -> str:
        """The script's file name."""
        return PurePath(self.path).name


@dataclass(frozen=True)
class Migrated:
    """The result of `migrate`: what was applied, even if it failed afterwards."""

    applied: tuple[Migration, ...]
    version: str | None
    failure: FlywayFailure | None = None


@dataclass(frozen=True)
class Repaired:
    """The result of `repair`."""

    actions: tuple[str, ...]
    removed: tuple[Migration, ...]


def read(output: str) -> list[dict[str, Any]]:
    """Return the result of each command, in order; raise `AnswerError` for unexpected output."""
    try:
        document = json.loads(output[output.index("{") :])
    except ValueError as error:
        raise AnswerError("Flyway's output contains no JSON") from error
    results = document.get("individualResults", [document])
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        raise AnswerError("Flyway's output has an unknown form")
    return results


def result_of(results: list[dict[str, Any]], operation: str) -> dict[str, Any]:
    """Return the result of a command; the last result if none names the command."""
    named = (result for result in results if result.get("operation") == operation)
    return next(named, results[-1])


def failure(results: list[dict[str, Any]]) -> FlywayFailure | None:
    """Return the first error in the results."""
    for result in results:
        error = result.get("error")
        if isinstance(error, dict):
            message = str(error.get("message") or "").strip()
            found = _SQL_MESSAGE.search(message)
            return FlywayFailure(
                code=str(error.get("errorCode") or ""),
                message=(found[1] if found else message).strip(),
                sql_state=str(error.get("sqlState") or ""),
                path=str(error.get("path") or ""),
                line=int(error.get("lineNumber") or 0),
            )
    return None


def inspection(results: list[dict[str, Any]]) -> Inspection:
    """Read the results of `info` and `validate`; raise `AnswerError` if one is missing."""
    by_operation = {str(result.get("operation")): result for result in results}
    try:
        info, validation = by_operation["info"], by_operation["validate"]
    except KeyError as error:
        raise AnswerError(f"Flyway's output has no result of {error.args[0]}") from error
    return Inspection(
        version=info.get("schemaVersion"),
        migrations=_migrations(info.get("migrations")),
        invalid=tuple(_invalid(item) for item in validation.get("invalidMigrations") or ()),
        objection="" if validation.get("validationSuccessful") is True else _objection(validation),
    )


def migrated(results: list[dict[str, Any]]) -> Migrated:
    """Read the result of `migrate`; everything that is not clearly a success is a failure."""
    result = result_of(results, "migrate")
    why = failure(results)
    if why is None and result.get("success") is not True:
        why = FlywayFailure("", str(result.get("exception") or "Flyway gave no reason"))
    # If there was nothing to do, Flyway reports only the initial version.
    version = result.get("targetSchemaVersion") or result.get("initialSchemaVersion")
    return Migrated(_migrations(result.get("migrations"), state="Success"), version, why)


def repaired(results: list[dict[str, Any]]) -> Repaired:
    """Read the result of `repair`."""
    result = result_of(results, "repair")
    return Repaired(
        actions=tuple(str(action) for action in result.get("repairActions") or ()),
        removed=_migrations(result.get("migrationsRemoved")),
    )


def _migrations(items: list[dict[str, Any]] | None, *, state: str = "") -> tuple[Migration, ...]:
    return tuple(
        Migration(
            version=str(item.get("version") or ""),
            description=str(item.get("description") or ""),
            state=state or str(item.get("state") or ""),
            path=str(item.get("filepath") or ""),
        )
        for item in items or ()
    )


def _invalid(item: dict[str, Any]) -> Invalid:
    details = item.get("errorDetails") or {}
    (migration,) = _migrations([item], state="Invalid")
    return Invalid(migration, str(details.get("errorCode") or ""), str(details.get("errorMessage") or ""))


def _objection(validation: dict[str, Any]) -> str:
    details = validation.get("errorDetails") or {}
    message = validation.get("allErrorMessages") or details.get("errorMessage")
    return str(message or "Flyway gave no reason")
