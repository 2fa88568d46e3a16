"""The local stack: an AWS on this machine, with PostgreSQL and Redis, on which real releases run.

Its state is disposable: every start begins from the seeds in `localstack/init/ready.d/`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.inspection import StackStatus
    from samjhadoo_ops.stack.state import StackState

__all__ = ["StackEndpoints", "StackNotRunning", "down", "ensure_up", "fetch", "reset", "status", "up"]


@dataclass(frozen=True)
class StackEndpoints:
    """The addresses of the stack, and when its clock began.

    Attributes:
        aws: The edge, which serves every AWS service.
        production: The load balancer's production listener.
        clock_origin: Unix time at which the emulated clock began.
        services: The listeners of each of several services, as (production, test).
    """

    aws: str
    production: str
    test: str
    clock_origin: float
    services: Mapping[str, tuple[str, str]] = field(default_factory=dict)


class StackNotRunning(Refused):
    """The command needs the local stack, which is not running, and does not start it."""


def ensure_up(env: Environment, console: Console, *, start: bool) -> StackEndpoints:
    """Return the endpoints of the running stack; start one if `start` is true.

    Raises:
        StackNotRunning: No stack is running and `start` is false.
        ConfigurationError: The running stack was started with other settings.
        OpsError: It could not be started.
    """
    from samjhadoo_ops.stack import lifecycle

    state = lifecycle.find(env)
    if state is not None:
        lifecycle.require_match(state, env)
        return _endpoints(state, env)
    if start:
        return up(env, console)
    ended = lifecycle.why_ended(env)
    because = f"; it ended: {ended.reason}" if ended else ""
    raise StackNotRunning(
        f"the local stack is not running{because}",
        hint="run: invoke stack.up",
        details=ended.details if ended else (),
    )


def up(env: Environment, console: Console, *, owner: int | None = None) -> StackEndpoints:
    """Start the stack, or find the one that is running.

    Args:
        owner: The id of a process; the stack ends when that process does. By default the one in
            SAMJHADOO_STACK_OWNER. Without one the stack ends when the shell that started it is killed.

    Raises:
        ConfigurationError: The environment has no stack, or something that a setting names is missing.
        OpsError: It could not be started; nothing is left running.
    """
    from samjhadoo_ops.stack import lifecycle

    _require_stack(env)
    return _endpoints(lifecycle.start(env, console.line, owner=owner), env)


def fetch(env: Environment, console: Console) -> None:
    """Fetch the programs or images that the environment's stack needs.

    Raises:
        ConfigurationError: The environment has no stack, or an image or the Docker engine is missing.
        OpsError: Something could not be fetched.
    """
    from samjhadoo_ops.stack.planning import make_plan
    from samjhadoo_ops.stack.state import StackPaths

    _require_stack(env)
    make_plan(env, StackPaths(env.root), console.line)


def down(env: Environment, console: Console) -> bool:
    """Stop the stack and return whether there was one; raise `OpsError` if a process does not end."""
    from samjhadoo_ops.stack import lifecycle

    _require_stack(env)
    return lifecycle.stop(env, console.line)


def reset(env: Environment, console: Console) -> StackEndpoints:
    """Stop the stack and start a fresh one; see `down` and `up` for errors."""
    down(env, console)
    return up(env, console)


def status(env: Environment) -> StackStatus:
    """Return the endpoints and processes of the stack, and what serves each AWS service."""
    from samjhadoo_ops.stack.inspection import inspect

    return inspect(env)


def _endpoints(state: StackState, env: Environment) -> StackEndpoints:
    production, test = state.endpoints.production, state.endpoints.test
    services: dict[str, tuple[str, str]] = {}
    if env.services or env.key:
        from samjhadoo_ops.stack.inspection import service_urls

        edge = int(state.endpoints.aws.rpartition(":")[2])
        services = service_urls(edge, env.services or {env.key: env}, env.root)
        production, test = next(iter(services.values()))
    return StackEndpoints(
        aws=state.endpoints.aws,
        production=production,
        test=test,
        clock_origin=state.clock.origin,
        services=services,
    )


def _require_stack(env: Environment) -> None:
    if env.stack is None:
        raise ConfigurationError(f"the environment {env.name} has no local stack", hint="use --env local")
