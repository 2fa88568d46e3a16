"""Bringing the schema to the release's version: inspect, migrate when something is pending, verify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database import answer, history, refusal
from samjhadoo_ops.database.runner import NoAnswerError
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.database.answer import Inspection, Migrated, Migration, Repaired
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.database.runner import Runner
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

    runner: Runner
    console: Console

    @classmethod
    def of(cls, env: Environment, aws: Aws, console: Console, clock: Clock) -> Schema:
        """Return the environment's schema, reached as `database.runner` says.

        Raises:
            ConfigurationError: The secret is missing or malformed, or a setting is.
            OpsError: AWS refused, or Flyway could not be fetched.

        """
        from samjhadoo_ops.database.factory import runner_for

        if not env.database.migrations:
            raise ConfigurationError(
                f"{env.title} has no migrations: its schema is another service's",
                hint="database.migrations names the folders of scripts",
            )
        return cls(runner_for(env, aws, console, clock), console)

    @property
    def leaves_nothing(self) -> bool:
        """Whether looking at it leaves nothing behind at AWS."""
        return self.runner.leaves_nothing

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
            run = self.runner.run("migrate")
        except NoAnswerError as error:
            changed, _ = self._changed(inspection)
            raise DeploymentFailed(
                error.message, hint=error.hint, changed=changed, details=error.details
            ) from error
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
        return self.runner.history()

    def repair(self) -> Repaired:
        """Let Flyway bring the history in line with the scripts.

        Raises:
            Refused: Flyway refused.

        """
        return answer.repaired(self._ask("repair"))

    def _ask(self, *operations: str, ignore: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Run Flyway for what changes no schema."""
        try:
            run = self.runner.run(*operations, ignore=ignore)
        except NoAnswerError as error:
            raise Refused(error.message, hint=error.hint, details=error.details) from error
        return refusal.readable(run, self.runner.database)

    def _changed(self, before: Inspection) -> tuple[str, bool]:
        """Tell which of the scripts that were pending the database has by now, and if one failed half-way."""
        try:
            now = self.history()
        except Refused:
            return "unknown: the history cannot be read", False
        pending = [item.script for item in before.pending]
        applied = [script for script in pending if now.times(script) > before.times(script)]
        if not now.failed:
            return _applied(applied), False
        failed = ", ".join(row.script for row in now.failed)
        stands = f"what {failed} did before it failed, and its failed row in the history"
        return f"{_applied(applied)}, and {stands}" if applied else f"the schema has {stands}", True


def inspect(env: Environment, aws: Aws, console: Console, clock: Clock) -> tuple[Schema | None, Inspection]:
    """Validate the environment's schema; None and nothing pending where it has no scripts of its own.

    Raises:
        ConfigurationError: A setting or the secret is wrong.
        Refused: The scripts do not fit the database.

    """
    if not env.database.migrations:
        return None, answer.Inspection(None, (), ())
    schema = Schema.of(env, aws, console, clock)
    return schema, schema.validate()


def peek(env: Environment, aws: Aws, console: Console, clock: Clock) -> Inspection | None:
    """Inspect the schema as `inspect` does where that leaves nothing behind at AWS; None where it would."""
    if not env.database.migrations:
        return answer.Inspection(None, (), ())
    schema = Schema.of(env, aws, console, clock)
    return schema.validate() if schema.leaves_nothing else None


def _state(inspection: Inspection) -> str:
    pending = ", ".join(item.script for item in inspection.pending)
    state = SchemaState(inspection.version)
    return f"{state}, pending: {pending}" if pending else f"{state}, nothing pending"


def _applied(scripts: list[str]) -> str:
    return f"the schema has {', '.join(scripts)}" if scripts else "nothing"
