"""Bringing the schema to the release's version: inspect, migrate when something is pending, verify."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database import answer, history, refusal
from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.database.flyway import Flyway, RunTimeoutError, Timeouts
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.database.answer import Inspection, Migrated, Migration, Repaired
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class SchemaState:
    """What the schema is at.

    Args:
        version: The newest applied version; None when there is none.
        applied: What this run applied.
        pending: What is still to be applied; empty after a migration.

    """

    version: str | None
    applied: tuple[Migration, ...] = ()
    pending: tuple[Migration, ...] = ()

    def __str__(self) -> str:
        return f"schema at V{self.version}" if self.version else "schema empty"


@dataclass(frozen=True)
class Schema:
    """A database's schema and the scripts that make it."""

    flyway: Flyway
    console: Console

    @classmethod
    def of(cls, env: Environment, aws: Aws, console: Console) -> Schema:
        """Return the environment's schema; its secret is fetched here, Flyway too when it is not cached.

        Raises:
            ConfigurationError: The secret is missing or malformed, or a setting is.
            OpsError: AWS refused, or Flyway could not be fetched.

        """
        from samjhadoo_ops.artifacts import flyway_command
        from samjhadoo_ops.aws_errors import aws_errors

        if not env.database.migrations:
            raise ConfigurationError(
                f"{env.title} has no migrations: its schema is another service's",
                hint="database.migrations names the folders of scripts",
            )
        with aws_errors():
            secret = env.database.secret.resolve(aws)
        flyway = Flyway(
            command=flyway_command(console.line),
            connection=Connection.from_secret(env.database.secret, secret),
            locations=[env.root / folder for folder in env.database.migrations],
            timeouts=Timeouts(
                lock=env.database.lock_timeout,
                statement=env.database.statement_timeout,
                run=env.database.migrate_timeout,
            ),
            settings=env.database.flyway,
            folder=Path(env.root),
        )
        return cls(flyway, console)

    def inspect(self) -> Inspection:
        """Ask Flyway for `info` and `validate`, in one process; nothing is changed.

        Raises:
            ConfigurationError: Flyway does not understand a setting.
            Refused: The scripts or the database cannot be read.

        """
        # What is pending is not invalid: it is what migrate is for.
        results = self._ask("info", "validate", ignore=["*:pending"])
        try:
            return answer.inspection(results)
        except answer.AnswerError as error:
            raise Refused(str(error)) from error

    def validate(self) -> Inspection:
        """Inspect the schema, and refuse when a script does not fit what was applied.

        Raises:
            Refused: A script was edited or removed after it was applied, or failed half-way.

        """
        inspection = self.inspect()
        if not inspection.valid:
            raise refusal.invalid(inspection)
        return inspection

    def migrate(self, inspection: Inspection | None = None) -> SchemaState:
        """Validate, apply what is pending, and verify the history.

        Args:
            inspection: What `validate` returned a moment ago; it is asked for when it is not given.

        Raises:
            Refused: Nothing was changed.
            DeploymentFailed: A script failed; `changed` tells what was applied before.

        """
        inspection = inspection or self.validate()
        self.console.event(
            "schema-inspected",
            _state(inspection),
            version=inspection.version,
            pending=[migration.script for migration in inspection.pending],
        )
        if not inspection.pending:
            return self.verify(SchemaState(inspection.version))
        result = self._apply(inspection)
        for migration in result.applied:
            self.console.event("migrated", f"migrated {migration.script}", script=migration.script)
        return self.verify(SchemaState(result.version, applied=result.applied))

    def _apply(self, inspection: Inspection) -> Migrated:
        try:
            run = self.flyway.run("migrate")
        except RunTimeoutError as error:
            changed, _ = self._changed(inspection)
            raise DeploymentFailed(error.message, hint=error.hint, changed=changed) from error
        try:
            result = answer.migrated(answer.read(run.output))
        except answer.AnswerError as error:
            changed, _ = self._changed(inspection)
            log = tuple((run.output + run.log).splitlines()[-20:])
            raise DeploymentFailed(f"flyway migrate: {error}", changed=changed, details=log) from error
        if result.failure is not None or run.exit_code:
            changed, half_way = self._changed(inspection)
            raise refusal.failed(run, result, changed=changed, half_way=half_way)
        return result

    def verify(self, state: SchemaState) -> SchemaState:
        """Return the state when the history table agrees with it.

        Raises:
            DeploymentFailed: It does not, or cannot be read after scripts were applied.
            Refused: It cannot be read, and nothing was applied.

        """
        applied = [item.script for item in state.applied]
        try:
            now = self.history()
        except Refused as error:
            if not applied:
                raise
            raise DeploymentFailed(error.message, hint=error.hint, changed=_applied(applied)) from error
        found = tuple(history.problems(now, version=state.version, applied=applied))
        if found:
            raise refusal.contradicted(found, changed=_applied(applied))
        return state

    def history(self) -> History:
        """Read the history table.

        Raises:
            Refused: The database does not answer.

        """
        import psycopg

        settings = self.flyway.settings
        try:
            return history.read(
                self.flyway.connection,
                table=settings.get("table", history.TABLE),
                schema=settings.get("defaultSchema", ""),
            )
        except psycopg.Error as error:
            raise refusal.unreachable(self.flyway.connection, str(error)) from error

    def repair(self) -> Repaired:
        """Let Flyway bring the history in line with the scripts.

        Raises:
            Refused: Flyway refused.

        """
        return answer.repaired(self._ask("repair"))

    def _ask(self, *operations: str, ignore: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Run Flyway for what changes no schema."""
        try:
            run = self.flyway.run(*operations, ignore=ignore)
        except RunTimeoutError as error:
            raise Refused(error.message, hint=error.hint) from error
        return refusal.readable(run, self.flyway.connection)

    def _changed(self, before: Inspection) -> tuple[str, bool]:
        """Tell which of the scripts that were pending the database has by now, and if one failed half-way."""
        try:
            now = self.history()
        except Refused:
            return "unknown: the history cannot be read", False
        applied = [item.script for item in before.pending if now.succeeded(item.script)]
        if not now.failed:
            return _applied(applied), False
        failed = ", ".join(row.script for row in now.failed)
        stands = f"what {failed} did before it failed, and its failed row in the history"
        return f"{_applied(applied)}, and {stands}" if applied else f"the schema has {stands}", True


def inspect(env: Environment, aws: Aws, console: Console) -> tuple[Schema | None, Inspection]:
    """Validate the environment's schema; None and nothing pending where it has no scripts of its own.

    Raises:
        ConfigurationError: A setting or the secret is wrong.
        Refused: The scripts do not fit the database.

    """
    if not env.database.migrations:
        return None, answer.Inspection(None, (), ())
    schema = Schema.of(env, aws, console)
    return schema, schema.validate()


def migrate(env: Environment, aws: Aws, console: Console, *, dry: bool = False) -> SchemaState:
    """Bring the environment's schema to the version of the scripts; a dry run only tells what is pending.

    Raises:
        ConfigurationError: A setting or the secret is wrong.
        Refused: The scripts do not fit the database; nothing was changed.
        DeploymentFailed: A script failed; the service was not touched.

    """
    schema = Schema.of(env, aws, console)
    if not dry:
        return schema.migrate()
    inspection = schema.validate()
    return SchemaState(inspection.version, pending=inspection.pending)


def _state(inspection: Inspection) -> str:
    pending = ", ".join(item.script for item in inspection.pending)
    state = SchemaState(inspection.version)
    return f"{state}, pending: {pending}" if pending else f"{state}, nothing pending"


def _applied(scripts: list[str]) -> str:
    return f"the schema has {', '.join(scripts)}" if scripts else "nothing"
