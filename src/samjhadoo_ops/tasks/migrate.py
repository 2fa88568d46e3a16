from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.collection import Collection

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from invoke.context import Context

    from samjhadoo_ops.database import Inspection, Schema
    from samjhadoo_ops.database.history import Row
    from samjhadoo_ops.tasks.session import Session

NEEDS_TASK = (
    "the database can only be reached by a task in the cluster, which a dry run does not start: "
    "invoke migrate.info shows the migrations"
)

_SHOWN = ("Rank", "Script", "Installed on", "By", "Success")
"""The columns of the history that people see: what fits a terminal."""


@ops_task(
    default=True, help={**WHICH, "yes": "Skip the confirmation."}, example="invoke migrate --env staging"
)
def migrate(c: Context, *, env: str = "local", service: str = "", yes: bool = False) -> None:
    """Apply pending migrations and verify the result."""
    from samjhadoo_ops.database.judge import require_end

    session, schema = _open(env, service, start=not c.config.run.dry)
    if c.config.run.dry and not schema.leaves_nothing:
        session.console.show(NEEDS_TASK)
        return
    inspection = schema.validate()
    if c.config.run.dry:
        _show(session, inspection, only_pending=True)
        return
    require_end(inspection.to_run, session.resolved)
    if inspection.to_run:
        session.confirm(f"Migrate the database of {env}?", yes=yes)
    state = schema.migrate(inspection)
    outcome = "migrated" if state.applied else "unchanged"
    text = f"{state}; applied: {', '.join(item.script for item in state.applied) or 'nothing'}"
    applied = [item.script for item in state.applied]
    session.console.result(outcome, ExitCode.SUCCEEDED, text, version=state.version, applied=applied)


@ops_task(help=WHICH, example="invoke migrate.info --env staging")
def info(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Show the migrations and the newest history rows."""
    session, schema = _open(env, service)
    _show(session, schema.inspect())
    session.console.show("")
    _show_history(session, schema.history().newest)


@ops_task(help=WHICH, example="invoke migrate.validate --env staging")
def validate(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Check the scripts against the applied migrations."""
    session, schema = _open(env, service)
    inspection = schema.validate()
    count = len(inspection.migrations)
    pending = len(inspection.pending)
    text = f"{count} scripts match the database; {pending or 'none'} of them pending"
    session.console.result("valid", ExitCode.SUCCEEDED, text, version=inspection.version)


@ops_task(help=WHICH, example="invoke migrate.verify --env staging")
def verify(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Verify the history table against Flyway."""
    from samjhadoo_ops.database import SchemaState

    session, schema = _open(env, service)
    state = schema.verify(SchemaState(schema.validate().version))
    _show_history(session, schema.history().newest)
    session.console.result("verified", ExitCode.SUCCEEDED, str(state), version=state.version)


@ops_task(help={**WHICH, "yes": "Skip the confirmation."}, example="invoke migrate.repair --env staging")
def repair(c: Context, *, env: str = "local", service: str = "", yes: bool = False) -> None:
    """Repair Flyway's history table (flyway repair)."""
    session, schema = _open(env, service)
    if c.config.run.dry and not schema.leaves_nothing:
        session.console.show(NEEDS_TASK)
        return
    inspection = schema.inspect()
    for invalid in inspection.invalid:
        session.console.line(f"{invalid.migration.script}: {invalid.message}")
    if c.config.run.dry:
        return
    session.confirm(
        f"Repair the history of {env}? Flyway will then ignore how scripts and database differ.", yes=yes
    )
    repaired = schema.repair()
    text = "; ".join(repaired.actions) or "nothing to repair"
    outcome = "repaired" if repaired.actions else "unchanged"
    session.console.result(outcome, ExitCode.SUCCEEDED, text, actions=list(repaired.actions))


def _open(env: str, service: str, *, start: bool = False) -> tuple[Session, Schema]:
    from samjhadoo_ops.database import Schema
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, service=service, start=start, common=True)
    return session, Schema.of(session.resolved, session.aws, session.console, session.clock)


def _show(session: Session, inspection: Inspection, *, only_pending: bool = False) -> None:
    shown = inspection.to_run if only_pending else (*inspection.migrations, *inspection.callbacks)
    if only_pending and not shown:
        session.console.show(f"no pending migrations; the schema is at V{inspection.version}")
        return
    rows: list[tuple[Any, ...]] = [
        (
            item.version or ("callback" if item in inspection.callbacks else "repeatable"),
            item.description,
            item.state,
            item.script,
        )
        for item in shown
    ]
    session.console.table(["Version", "Description", "State", "Script"], rows, event="migration")


def _show_history(session: Session, rows: tuple[Row, ...]) -> None:
    if not rows:
        return
    columns = ("Rank", "Version", "Script", "Installed on", "By", "Milliseconds", "Success")
    found = [
        (
            "" if row.installed_rank is None else row.installed_rank,
            row.version or "",
            row.script,
            f"{row.installed_on:%Y-%m-%d %H:%M:%S}",
            row.installed_by,
            row.execution_time,
            "yes" if row.success else "no",
        )
        for row in rows
    ]
    session.console.records(columns, found, event="history")
    session.console.grid(_SHOWN, [(rank, script, on, by, good) for rank, _, script, on, by, _, good in found])


migrations = Collection("migrate", info, validate, verify, repair)
migrations.add_task(migrate, name="migrate", default=True)
