"""Flyway's failures as errors of the tool: which script, which line, what was changed, what to run next."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database import answer, history
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.database.answer import FlywayFailure, Inspection, Migrated
    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.database.runner import FlywayRun

REPAIR = "invoke migrate.repair, but only when you know why: it makes Flyway forget the difference"
NAMING = (
    "scripts are called V1__what.sql or R__what.sql; to keep other files (such as undo scripts) "
    'there, set validateMigrationNaming in [database.flyway] to "false"'
)
FOLDERS = "[database] migrations names the folders of Flyway scripts; [] for a service without a schema"
HALF_WAY = "remove by hand what it left (an invalid index), then invoke migrate.repair"
_CHECKSUMS = re.compile(r"Applied to database\s*:\s*(\S+).*?Resolved locally\s*:\s*(\S+)", re.DOTALL)
_PLACEHOLDER = re.compile(r"No value provided for placeholder: \$\{(.+?)\}")
_EXCERPT = 8
"""Lines of a failed statement that are shown."""


def readable(run: FlywayRun, database: str) -> list[dict[str, Any]]:
    """Return the answers of a run that changes no schema; `database` is what errors call it.

    Raises:
        ConfigurationError: Flyway does not understand a setting.
        Refused: Flyway failed otherwise.
    """
    try:
        results = answer.read(run.output)
    except answer.AnswerError as error:
        log = _lines(run.output + run.log)[-20:]
        raise Refused(f"{error} (exit code {run.exit_code})", details=log) from error
    why = answer.failure(results)
    if why is None and run.exit_code == 0:
        return results
    if why is None:
        raise Refused(f"Flyway ended with exit code {run.exit_code}", details=_lines(run.log)[-20:])
    first, *rest = _lines(why.message) or ("Flyway failed",)
    if why.code == "CONFIGURATION":
        raise ConfigurationError(
            f"Flyway: {first}", details=tuple(rest), hint="see [database.flyway] in environments/"
        )
    if "migration name format" in why.message:
        raise Refused(f"Flyway: {first}", details=tuple(rest), hint=NAMING)
    if "Failed to find filesystem location" in why.message:
        raise Refused(f"Flyway: {first}", details=tuple(rest), hint=FOLDERS)
    if why.callback:
        raise Refused(
            f"the callback {why.callback} failed: {_at(why)}",
            details=(*rest, *statement(why)),
            hint="correct it, or move it out of the folder: Flyway runs it with info and validate, too",
        )
    if why.code == "DB_CONNECTION" or why.sql_state.startswith("08"):
        raise unreachable(database, why.message)
    hint = "" if why.code != "FAULT" else "a defect in Flyway, or a wrong setting in [database.flyway]"
    raise Refused(f"Flyway: {first}", details=tuple(rest), hint=hint)


def unreachable(database: str, reason: str) -> Refused:
    """Return the error for a database that does not answer."""
    first, *rest = _lines(reason) or ("",)
    return Refused(
        f"the database {database} does not answer: {first}",
        details=tuple(rest),
        hint="check that it runs, and its address in database.secret",
    )


def reached_history(connection: Connection, settings: Mapping[str, str]) -> History:
    """Read the history table that Flyway's settings name; raise `Refused` if it cannot be reached."""
    import psycopg

    try:
        return history.read(
            connection,
            table=settings.get("table", history.TABLE),
            schema=settings.get("defaultSchema", ""),
        )
    except psycopg.Error as error:
        raise unreachable(str(connection), str(error)) from error


def invalid(inspection: Inspection, folders: Sequence[Path]) -> OpsError:
    """Return the refusal for scripts that do not match what was applied, or that Flyway would not run."""
    if inspection.left_out:
        return Refused(
            f"{inspection.left_out[0]} has a migration's name, but Flyway does not run such files here",
            details=inspection.left_out[1:],
            hint="write it as SQL, or move it out of the folder: only an application runs Java migrations",
        )
    if inspection.lost:
        where = ", ".join(map(str, folders))
        return Refused(f"the schema is at V{inspection.version}, but {where} has no scripts", hint=FOLDERS)
    if not inspection.invalid and not inspection.objection:
        names = ", ".join(str(migration) for migration in inspection.half_way)
        return Refused(
            f"{names} failed half-way earlier, outside a transaction, and its script no longer exists",
            hint=HALF_WAY,
        )
    if not inspection.invalid:
        first, *rest = _lines(inspection.objection)
        return Refused(f"flyway validate: {first}", details=tuple(rest))
    objections = [_objection(item) for item in inspection.invalid]
    hints = {hint for _, hint in objections}
    return Refused(
        objections[0][0]
        if len(objections) == 1
        else f"{len(objections)} migrations do not match the database",
        details=() if len(objections) == 1 else tuple(text for text, _ in objections),
        hint=hints.pop() if len(hints) == 1 else REPAIR,
    )


def _objection(item: answer.Invalid) -> tuple[str, str]:
    """Return what is wrong with a migration, and the remedy."""
    migration = item.migration
    if item.code == "CHECKSUM_MISMATCH":
        sums = _CHECKSUMS.search(item.message)
        applied, here = sums.groups() if sums else ("?", "?")
        difference = f"checksum {applied} in the database, {here} in {migration.path}"
        return (
            f"{migration.script} was edited after it was applied: {difference}",
            f"put the script back and write a new one; {REPAIR}",
        )
    if item.code.startswith("FAILED_"):
        return (
            f"{migration.script} failed half-way earlier, outside a transaction",
            HALF_WAY,
        )
    if item.code.startswith("APPLIED_"):
        return (
            f"{migration} was applied, but its script no longer exists",
            f"put the script back; {REPAIR}",
        )
    if item.code.startswith("RESOLVED_"):
        return (
            f"{migration.script} is older than the schema and was never applied",
            'give it a version above the schema\'s, or set outOfOrder = "true" in [database.flyway]',
        )
    first, *_ = _lines(item.message) or (item.code,)
    return f"{migration.script}: {first}", REPAIR


def failed(run: FlywayRun, result: Migrated, *, changed: str, half_way: bool) -> DeploymentFailed:
    """Return the error of a migration that failed.

    Args:
        changed: Which pending scripts the schema has by now.
        half_way: Whether a script failed outside a transaction.
    """
    why = result.failure or answer.FlywayFailure("", f"Flyway ended with exit code {run.exit_code}")
    if not why.path:
        first, *rest = _lines(why.message) or ("",)
        return DeploymentFailed(
            f"flyway migrate: {first}",
            details=(*rest, *_lines(run.log)[-20:]),
            changed=changed,
            hint=_setting(why.message),
        )
    return DeploymentFailed(
        _at(why),
        details=(*_lines(why.message)[1:], *statement(why)),
        changed=changed,
        hint=_remedy(why, half_way=half_way),
    )


def _at(why: FlywayFailure) -> str:
    """Return where a script failed and why, in a line."""
    place = f"{why.path}:{why.line}: " if why.path else ""
    state = f" (SQL state {why.sql_state})" if why.sql_state else ""
    return f"{place}{next(iter(_lines(why.message)), 'the script failed')}{state}"


def _setting(message: str) -> str:
    """Return the setting that a script needs; empty for none."""
    placeholder = _PLACEHOLDER.search(message)
    if placeholder is None:
        return ""
    return (
        f'under [database.flyway]: "placeholders.{placeholder[1]}" = "VALUE"; or, where scripts have no '
        'placeholders: placeholderReplacement = "false"'
    )


def _remedy(why: FlywayFailure, *, half_way: bool) -> str:
    if why.sql_state == "55P03":
        return "another session held the lock for longer than database.lock_timeout: run the migration again"
    if why.sql_state == "57014":
        return "the statement took longer than its statement_timeout"
    if half_way:
        return (
            "it ran outside a transaction: remove by hand what it left (an invalid index), "
            "then invoke migrate.repair, correct the script and run it again"
        )
    return "correct the script and run it again: a failed script leaves nothing behind"


def statement(why: FlywayFailure) -> tuple[str, ...]:
    """Return the lines of the failed statement in the script, with their numbers."""
    try:
        lines = Path(why.path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ()
    shown: list[str] = []
    for number, line in enumerate(lines[max(0, why.line - 1) :], start=max(1, why.line)):
        shown.append(f"{number:4}  {line}")
        if line.rstrip().endswith(";") or len(shown) == _EXCERPT:
            break
    return tuple(shown)


def contradicted(found: Sequence[str], *, changed: str) -> DeploymentFailed:
    """Return the error of a history that does not agree with Flyway."""
    return DeploymentFailed(
        f"the schema's history: {found[0]}",
        details=tuple(found[1:]),
        changed=changed,
        hint="invoke migrate.info shows the history; a row that failed half-way needs invoke migrate.repair",
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())
