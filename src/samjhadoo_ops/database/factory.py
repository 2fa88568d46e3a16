"""Create the runner that `database.runner` selects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.database.flyway import Flyway, Timeouts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import PurePath

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.database.runner import Runner
    from samjhadoo_ops.environment import Environment


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
