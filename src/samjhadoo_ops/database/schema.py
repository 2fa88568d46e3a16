"""Bring the schema to the release's version: inspect, apply pending migrations, verify."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database import answer, folders, history, refusal
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.database.runner import NoAnswerError
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path, PurePath

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.database.answer import Inspection, Migrated, Migration, Repaired
    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.database.runner import Runner
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class SchemaState:
    """The newest applied version (None: none), what this run applied, and what is still to be applied."""

    version: str | None
    applied: tuple[Migration, ...] = ()
    pending: tuple[Migration, ...] = ()

    def __str__(self) -> str:
        return f"schema at V{self.version}" if self.version else "schema empty"


@dataclass(frozen=True)
class Schema:
    """A database's schema and its migration scripts.

    Args:
        folders: Those of the scripts, on this machine.
        callback_folders: Those of the callbacks; empty for the same ones.
    """

    runner: Runner
    console: Console
    folders: Sequence[Path]
    callback_folders: Sequence[Path] = ()

    @classmethod
    def of(cls, env: Environment, aws: Aws, console: Console, clock: Clock) -> Schema:
        """Return the environment's schema, with the runner that `runner_for` creates; see it for errors."""
        if not env.database.migrations:
            raise ConfigurationError(
                f"{env.title} has no migrations: another service owns the schema",
                hint="set database.migrations to the folders with scripts",
            )
        own = [env.root / folder for folder in env.database.migrations]
        named = folders.callback_folders(env.database.flyway)
        return cls(
            runner_for(env, aws, console, clock), console, own, [env.root / folder for folder in named]
        )

    @property
    def leaves_nothing(self) -> bool:
        """Whether reading it leaves nothing behind in AWS."""
        return self.runner.leaves_nothing

    def inspect(self) -> Inspection:
        """Run Flyway's `info` and `validate` in one process; only callbacks of these may change something.

        Raises:
            ConfigurationError: Flyway refused a setting.
            Refused: The scripts or the database cannot be read.
        """
        # Pending migrations are not invalid: migrate applies them.
        results = self._ask("info", "validate", ignore=["*:pending"])
        try:
            found = answer.inspection(results)
        except answer.AnswerError as error:
            raise Refused(str(error)) from error
        return replace(
            found,
            callbacks=tuple(folders.callbacks(self.callback_folders or self.folders)),
            left_out=tuple(map(str, folders.left_out(self.folders, found.migrations))),
        )

    def validate(self) -> Inspection:
        """Inspect the schema; raise `Refused` if scripts do not match the applied migrations."""
        inspection = self.inspect()
        if not inspection.valid:
            raise refusal.invalid(inspection, self.folders)
        return inspection

    def described(self, inspection: Inspection) -> Inspection:
        """Add what the database holds, and how much, if something would run and it can be asked here."""
        if not inspection.to_run:
            return inspection
        # An empty schema has no tables to measure.
        sizes = self.runner.sizes() if inspection.sizes is None else inspection.sizes
        return replace(inspection, schema=self.runner.schema(), sizes=sizes)

    def migrate(self, inspection: Inspection | None = None) -> SchemaState:
        """Validate, apply pending migrations, run the callbacks, and verify the history.

        Args:
            inspection: A recent result of `validate`; without it, `validate` is run.

        Raises:
            Refused: Nothing was changed.
            DeploymentFailed: A script failed; `changed` lists what was applied before.
        """
        inspection = inspection or self.validate()
        self.console.event(
            "schema-inspected",
            _state(inspection),
            version=inspection.version,
            pending=[migration.script for migration in inspection.pending],
            callbacks=[callback.script for callback in inspection.callbacks],
        )
        if not inspection.to_run:
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
        """Return the state if the history table agrees with it.

        Raises:
            DeploymentFailed: The table does not agree, or cannot be read after scripts were applied.
            Refused: The table cannot be read, and nothing was applied.
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
        """Read the history table; raise `Refused` if the database does not answer."""
        return self.runner.history()

    def repair(self) -> Repaired:
        """Let Flyway align the history with the scripts; raise `Refused` if it refuses."""
        return answer.repaired(self._ask("repair"))

    def _ask(self, *operations: str, ignore: Sequence[str] = ()) -> list[dict[str, Any]]:
        """Run Flyway commands that do not change the schema."""
        try:
            run = self.runner.run(*operations, ignore=ignore)
        except NoAnswerError as error:
            raise Refused(error.message, hint=error.hint, details=error.details) from error
        return refusal.readable(run, self.runner.database)

    def _changed(self, before: Inspection) -> tuple[str, bool]:
        """Describe which pending scripts were applied; also return whether one failed half-way."""
        try:
            now = self.history()
        except Refused:
            return "unknown, because the history cannot be read", False
        pending = [item.script for item in before.pending]
        applied = [script for script in pending if now.times(script) > before.times(script)]
        if not now.failed:
            return _applied(applied), False
        failed = ", ".join(row.script for row in now.failed)
        rest = f"what {failed} did before it failed, and its failed row in the history"
        return f"{_applied(applied)}, and {rest}" if applied else f"the schema has {rest}", True


def inspect(env: Environment, aws: Aws, console: Console, clock: Clock) -> tuple[Schema | None, Inspection]:
    """Validate the environment's schema; without scripts of its own, return None and nothing pending.

    Raises:
        ConfigurationError: A setting or the secret is wrong.
        Refused: The scripts do not match the database.
    """
    if not env.database.migrations:
        return None, answer.Inspection(None, (), ())
    schema = Schema.of(env, aws, console, clock)
    return schema, schema.described(schema.validate())


def peek(env: Environment, aws: Aws, console: Console, clock: Clock) -> Inspection | None:
    """Inspect the schema as `inspect` does, if that leaves nothing behind in AWS; otherwise return None."""
    if not env.database.migrations:
        return answer.Inspection(None, (), ())
    schema = Schema.of(env, aws, console, clock)
    return schema.described(schema.validate()) if schema.leaves_nothing else None


def _state(inspection: Inspection) -> str:
    pending, callbacks = (
        ", ".join(item.script for item in items) for items in (inspection.pending, inspection.callbacks)
    )
    text = f"{SchemaState(inspection.version)}, {f'pending: {pending}' if pending else 'nothing pending'}"
    return f"{text}; callbacks: {callbacks}" if callbacks else text


def _applied(scripts: list[str]) -> str:
    return f"the schema has {', '.join(scripts)}" if scripts else "nothing"


def runner_for(env: Environment, aws: Aws, console: Console, clock: Clock) -> Runner:
    """Return the environment's runner.

    Runners on this machine read the database's secret. Flyway is downloaded if it is not cached.

    Raises:
        ConfigurationError: The secret is missing or malformed, or a setting is wrong.
        OpsError: AWS refused, or Flyway could not be downloaded.
    """
    return _RUNNERS[env.database.runner](env, aws, console, clock)


def _command_line(env: Environment, aws: Aws, console: Console, _clock: Clock) -> Runner:
    from samjhadoo_ops.artifacts import flyway_command
    from samjhadoo_ops.database.command_line import CommandLine

    connection = _connection(env, aws)
    return CommandLine(flyway_command(console.line), _here(env), connection, env.root)


def _image(env: Environment, aws: Aws, _console: Console, _clock: Clock) -> Runner:
    from samjhadoo_ops.database.image import DockerImage

    return DockerImage(env.database.flyway_image, _here(env), _connection(env, aws), env.root)


def _task(env: Environment, aws: Aws, console: Console, clock: Clock) -> Runner:
    from samjhadoo_ops.database.ecs_task.definition import PROJECT
    from samjhadoo_ops.database.ecs_task.image import folders
    from samjhadoo_ops.database.ecs_task.runner import EcsTask

    return EcsTask(env, aws, console, clock, _flyway(env, [PROJECT / each for each in folders(env)]))


_RUNNERS = {"cli": _command_line, "image": _image, "ecs-task": _task}


def _here(env: Environment) -> Flyway:
    return _flyway(env, [env.root / folder for folder in env.database.migrations])


def _flyway(env: Environment, locations: Sequence[PurePath]) -> Flyway:
    settings = env.database
    timeouts = Timeouts(
        lock=settings.lock_timeout, statement=settings.statement_timeout, run=settings.migrate_timeout
    )
    return Flyway(locations, timeouts, settings.flyway)


def _connection(env: Environment, aws: Aws) -> Connection:
    from samjhadoo_ops.aws_errors import aws_errors
    from samjhadoo_ops.database.connection import Connection

    with aws_errors():
        secret = env.database.secret.resolve(aws)
    return Connection.from_secret(env.database.secret, secret)
