"""What a task works with: settings, AWS clients, clock, console, and the local stack if there is one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import current_console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.deployment.finish import Deployed
    from samjhadoo_ops.deployment.run import ServiceContext
    from samjhadoo_ops.environment import Environment


@dataclass(frozen=True)
class Session:
    """An environment that a task can work on, with the URLs of its production and test listener."""

    env: Environment
    console: Console
    clock: Clock
    production: str
    test: str
    endpoint_url: str | None = None

    @cached_property
    def aws(self) -> Aws:
        """The environment's AWS clients."""
        from samjhadoo_ops.aws import Aws

        return Aws(self.env, self.endpoint_url)

    @cached_property
    def resolved(self) -> Environment:
        """The environment with what its stacks made in place of `stack:NAME#Output`."""
        from samjhadoo_ops.environment.outputs import resolve_outputs

        return resolve_outputs(self.env, self.aws)

    @cached_property
    def context(self) -> ServiceContext:
        """The environment's service, and how to reach it."""
        from samjhadoo_ops.deployment.run import ServiceContext

        return ServiceContext(self.resolved, self.aws, self.clock, self.console, self.production, self.test)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Add the number of AWS calls in the block to the result (`aws_calls`), however the block ends.

        Raises:
            OpsError: The block's error; if the local stack has ended meanwhile, the error also shows why.
            Refused: The stack has ended before a deployment began.
        """
        try:
            yield
        except Exception as error:
            known = error if isinstance(error, OpsError) else _of_aws(error)
            ended = self._lost_stack()
            if ended and (known is None or known.exit_code is ExitCode.UNEXPECTED):
                details = (known.message, *known.details) if known else (f"{type(error).__name__}: {error}",)
                raise Refused(
                    ended, hint="invoke stack.up starts a new, empty one", details=details
                ) from error
            if known is None:
                raise
            known.details = (*([ended] if ended else []), *known.details)
            if known is error:
                raise
            raise known from error
        finally:
            self.console.note(aws_calls=self.aws.call_counts())

    def _lost_stack(self) -> str:
        """Return that the local stack has ended, and why; empty if it has not, or if there is none."""
        if self.env.stack is None:
            return ""
        from samjhadoo_ops import stack

        status = stack.status(self.env)
        why = f": {status.reason}" if status.reason else ""
        return "" if status.running else f"the local stack has ended{why}"

    def confirm(self, question: str, *, yes: bool, show: Callable[[], None] = lambda: None) -> None:
        """Ask for confirmation before a change in AWS; the local stack needs none.

        Args:
            show: Shows what would change, once the credentials are known to be right.

        Raises:
            Refused: The answer was not yes, or the credentials are another account's.
            ConfigurationError: There is no terminal to ask in.
        """
        if yes or self.env.stack is not None:
            return
        if not sys.stdin.isatty():
            raise ConfigurationError(
                f"{self.env.name} needs a confirmation, but there is no terminal", hint="add --yes"
            )
        self.aws.account_guard()
        show()
        self.console.line(f"{question} Type {self.env.name} to continue:")
        if sys.stdin.readline().strip() != self.env.name:
            raise Refused("not confirmed; nothing was changed")


def _of_aws(error: Exception) -> OpsError | None:
    from samjhadoo_ops.aws_errors import translate

    return translate(error)


def open_session(name: str, *, service: str = "", start: bool = False, common: bool = False) -> Session:
    """Load an environment and find its local stack, if it has one.

    Args:
        service: The service, if there are several.
        start: Whether to start the stack if it is not running.
        common: Whether to use the shared settings if there are several services and none is given.

    Raises:
        ConfigurationError: The settings are wrong, or one of several services must be chosen.
        Refused: The stack is not running, and `start` is false.
        OpsError: The stack could not be started.
    """
    env = load_environment(name, service=service)
    if env.services and not common:
        raise ConfigurationError(
            f"the environment {name} has several services: {', '.join(env.services)}",
            hint=f"choose one, for example --service {next(iter(env.services))}",
        )
    return _opened(env, start=start)


def open_sessions(name: str, *, service: str = "") -> list[Session]:
    """Load an environment for each of its services, or for the given one; see `open_session` for errors."""
    env = load_environment(name, service=service)
    return [_opened(each, start=False) for each in env.services.values() or [env]]


def _opened(env: Environment, *, start: bool) -> Session:
    console = current_console()
    if env.stack is None:
        clock = Clock(minute=env.clock.minute)
        return Session(env, console, clock, env.endpoints.production, env.endpoints.test)
    from samjhadoo_ops.stack import ensure_up

    endpoints = ensure_up(env, console, start=start)
    clock = Clock(minute=env.clock.minute, origin=endpoints.clock_origin)
    return Session(env, console, clock, endpoints.production, endpoints.test, endpoints.aws)


def check_until(until: str) -> None:
    """Check the phase of `--until`; raise `ConfigurationError` if a run cannot wait for it."""
    from samjhadoo_ops.deployment.finish import UNTIL

    if until not in UNTIL:
        *most, last = UNTIL
        raise ConfigurationError(f"--until {until}: expected {', '.join(most)} or {last}")


def not_negative(option: str, number: int) -> None:
    """Check the number of an option; raise `ConfigurationError` if it is negative."""
    if number < 0:
        raise ConfigurationError(f"{option} {number}: expected 0 or more")


def seconds(option: str, text: str) -> float:
    """Return the seconds of an option such as `15m`, 0 without; raise `ConfigurationError` if not valid."""
    from samjhadoo_ops.environment.duration import Duration

    try:
        return float(Duration.parse(text)) if text else 0.0
    except ValueError as error:
        raise ConfigurationError(f"{option} {text}: {error}") from error


def show_deployed(session: Session, deployed: Deployed) -> None:
    """Print how a deployment ended, or was left, as the result."""
    session.console.result(
        deployed.outcome,
        ExitCode.SUCCEEDED,
        deployed.sentence(session.production),
        **deployed.fields(),
        url=session.production,
        commands=() if deployed.left else next_commands(session),
    )


def next_commands(session: Session) -> tuple[str, ...]:
    """Return the commands that show the service's answer, and the service in AWS, with the real addresses."""
    env = session.env
    health = urljoin(session.production, env.smoke.health_path)
    names = f"--cluster {env.service.cluster} --services {env.service.name}"
    if env.stack is not None:
        chosen = "" if env.name == "local" else f" --env {env.name}"
        return (f"curl {health}", f'eval "$(invoke stack.env{chosen})"', f"aws ecs describe-services {names}")
    profile = f" --profile {env.aws.profile}" if env.aws.profile else ""
    where = f"--region {env.aws.region}{profile}"
    return (f"curl {health}", f"aws ecs describe-services {where} {names}")
