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
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_SQL_MESSAGE = re.compile(r"^Message\s*: (.*?)(?=^Location\s*:|^Line\s*:|\Z)", re.MULTILINE | re.DOTALL)
# The error of a callback has these only in its text.
_STATE = re.compile(r"^SQL State\s*: (\w+)", re.MULTILINE)
_PLACE = re.compile(r"^Location\s*: (?P<path>.*?)(?: \(.*\))?\nLine\s*: (?P<line>\d+)", re.MULTILINE)
_CALLBACK = re.compile(r"Error while executing (\w+) callback")
ALWAYS = frozenset(
    {
        *("beforeMigrate", "beforeRepeatables", "afterVersioned", "afterMigrate"),
        "afterMigrateOperationFinish",
    }
)
"""Events whose callbacks each `migrate` runs, even when nothing is pending."""
WITH_PLANS = frozenset(
    {"beforeInfo", "afterInfo", "afterInfoOperationFinish", "beforeValidate", "afterValidate"}
)
"""Events whose callbacks `info` and `validate` run, and so each plan; those of a connection prepare it."""


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
    """The results of `info` and `validate`.

    Attributes:
        callbacks: The callbacks in the folders; the state of each is its event.
        left_out: Files that are named like migrations, but that Flyway does not run.
        schema: What the database holds, as statements; None if it was not asked.
        sizes: Bytes of the tables in the database, by `schema.table`; None if they are not known.
    """

    version: str | None
    migrations: tuple[Migration, ...]
    invalid: tuple[Invalid, ...]
    objection: str = ""
    callbacks: tuple[Migration, ...] = ()
    left_out: tuple[str, ...] = ()
    schema: str | None = None
    sizes: Mapping[str, int] | None = None

    @property
    def pending(self) -> tuple[Migration, ...]:
        """The migrations that `migrate` would run, in order."""
        return tuple(migration for migration in self.migrations if migration.pending)

    @property
    def to_run(self) -> tuple[Migration, ...]:
        """What `migrate` would run: pending migrations, and callbacks."""
        pending = self.pending
        return (*pending, *(each for each in self.callbacks if pending or each.state in ALWAYS))

    @property
    def with_plans(self) -> tuple[str, ...]:
        """The callbacks that reading the schema runs."""
        return tuple(each.script for each in self.callbacks if each.state in WITH_PLANS)

    def times(self, script: str) -> int:
        """Return how often a script was applied; Flyway lists a repeatable one once for each time."""
        return sum(each.script == script and not each.pending for each in self.migrations)

    @property
    def half_way(self) -> tuple[Migration, ...]:
        """Migrations that failed outside a transaction and were not repaired; `validate` may miss them."""
        return tuple(migration for migration in self.migrations if migration.state.startswith("Failed"))

    @property
    def lost(self) -> bool:
        """Whether migrations were applied, but there is not a single script."""
        applied = [each for each in self.migrations if each.state != "Baseline"]
        return bool(applied) and not any(each.path for each in applied)

    @property
    def valid(self) -> bool:
        """Whether the scripts match the applied migrations, and Flyway would run all of them."""
        return not (self.objection or self.invalid or self.half_way or self.left_out or self.lost)


@dataclass(frozen=True)
class FlywayFailure:
    """Why Flyway failed; path, line and SQL state are set only if a statement failed."""

    code: str
    message: str
    sql_state: str = ""
    path: str = ""
    line: int = 0
    callback: str = ""

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
            found, state, place = (each.search(message) for each in (_SQL_MESSAGE, _STATE, _PLACE))
            callback = _CALLBACK.match(message)
            return FlywayFailure(
                code=str(error.get("errorCode") or ""),
                message=(found[1] if found else message).strip(),
                sql_state=str(error.get("sqlState") or (state[1] if state else "")),
                path=str(error.get("path") or (place["path"] if place else "")),
                line=int(error.get("lineNumber") or (place["line"] if place else 0)),
                callback=callback[1] if callback else "",
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
        sizes={} if info.get("allSchemasEmpty") is True else None,
    )


def migrated(results: list[dict[str, Any]]) -> Migrated:
    """Read the result of `migrate`; everything that is not clearly a success is a failure."""
    result = result_of(results, "migrate")
    why = failure(results)
    if why is None and result.get("success") is not True:
        why = FlywayFailure("", str(result.get("exception") or "Flyway gave no reason"))
    # Flyway's target is the version that it applied last, which is a lower one out of order, or none.
    versions = [result.get("targetSchemaVersion"), result.get("initialSchemaVersion")]
    version = max(filter(None, versions), key=version_order, default=None)
    return Migrated(_migrations(result.get("migrations"), state="Success"), version, why)


def version_order(version: str) -> tuple[int, ...]:
    """Return what sorts versions as Flyway does: `1.10` after `1.9`, `2` and `2.0` alike."""
    return tuple(map(int, re.sub(r"([._]0+)+$", "", version).replace("_", ".").split(".")))


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
