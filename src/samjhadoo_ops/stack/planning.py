"""Deciding how a stack is started: what is fetched, where servers work, which ports are preferred."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shlex
import sys
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.stack import exits
from samjhadoo_ops.stack.plan import ContainerServers, HostServers, Plan, Ports, PostgresPlan, Starter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.environment.stack import StackSettings
    from samjhadoo_ops.stack.state import Places

    Progress = Callable[[str], None]


OWNER = "SAMJHADOO_STACK_OWNER"
"""The variable that names a process by its id: the stack ends when that one does, in any way."""
_PID = re.compile(r"[0-9]{1,10}")


def make_plan(env: Environment, places: Places, progress: Progress, *, owner: int | None = None) -> Plan:
    """Fetch what the stack needs and decide how it is started.

    Args:
        env: The environment.
        places: Where its files are kept.
        progress: Is told what is fetched.
        owner: The process that the stack ends with; by default the one that SAMJHADOO_STACK_OWNER names, and
            without one the shell.

    Raises:
        ConfigurationError: The environment has no stack, or an image, the engine or the owner is missing.
        OpsError: Something cannot be had.

    """
    from samjhadoo_ops.artifacts import flyway
    from samjhadoo_ops.stack import seeds

    if env.stack is None:
        raise ConfigurationError(f"the environment {env.name} has no local stack", hint="use --env local")
    stack, starter = places.new_id(), _starter(owner)
    flyway_home = flyway.home(progress)
    _require_emulator()
    if env.stack.kind == "embedded":
        servers, password = _host_servers(places, stack, progress)
        # Its recording needs the PostgreSQL of an embedded stack; stacks of containers use what it recorded.
        training = not flyway.is_trained(flyway_home)
    else:
        servers, password, training = _containers(env.stack, progress), secrets.token_urlsafe(18), False
    return Plan(
        id=stack,
        root=str(env.root.resolve()),
        environment=env.name,
        region=env.aws.region,
        account=env.aws.account,
        minute=float(env.clock.minute),
        ports=Ports(
            edge=env.stack.edge_port,
            postgres=env.stack.postgres_port,
            redis=env.stack.redis_port,
            production=env.service.production_listener_port,
            test=env.service.test_listener_port,
        ),
        password=password,
        servers=servers,
        emulator=_emulator(env, env.stack),
        variables={},
        seeds=seeds.seed_scripts(env.root),
        seed_variables=seeds.seed_variables(env),
        starter=starter,
        training=training,
    )


def _starter(owner: int | None) -> Starter | None:
    """Return the process that the stack ends with: the one that is named, or the shell.

    Raises:
        ConfigurationError: The named one is no running process, or one thread of a process.

    """
    named = os.environ.get(OWNER, "") if owner is None else str(owner)
    if not named:
        shell = exits.watching_shell()
        return Starter(f"shell ({shell[2]}, {shell[0]})", *shell[:2], exit_counts=False) if shell else None
    since = exits.started(int(named)) if _PID.fullmatch(named) else None
    if since is None or not exits.can_watch(int(named), since):
        raise ConfigurationError(f"{OWNER}: expected the id of a running process, found {named!r}")
    return Starter(f"owner ({named})", int(named), since, exit_counts=True)


def _emulator(env: Environment, settings: StackSettings) -> tuple[str, ...]:
    """Return the emulator's options that the settings ask for."""
    given = {
        "--upstream": settings.upstream,
        "--upstream-ca": str(env.root / settings.upstream_ca) if settings.upstream_ca else "",
    }
    options = [part for option, value in given.items() if value for part in (option, value)]
    options += [part for service in settings.passed_on for part in ("--pass-on", service)]
    if settings.kind == "embedded":
        options += [part for command in _host_commands() for part in ("--host-command", command)]
    return tuple(options)


def _host_commands() -> Iterator[str]:
    """Yield what application images may run of this machine: `NAME=COMMAND`, as the emulator takes it."""
    from samjhadoo_ops import artifacts
    from samjhadoo_ops.artifacts import flyway

    yield f"java={shlex.join([str(flyway.java())])}"
    # Flyway is fetched when it is first called; a container has another HOME than the cache.
    cache = f"{artifacts.CACHE_VARIABLE}={artifacts.cache_folder()}"
    yield f"flyway={shlex.join(['env', cache, sys.executable, '-m', 'samjhadoo_ops.artifacts.launch'])}"


def _require_emulator() -> None:
    """Refuse to plan a stack without the emulator's package.

    Raises:
        OpsError: It is not installed.

    """
    if importlib.util.find_spec("samjhadoo_emulator") is None:
        raise OpsError("samjhadoo-emulator is not installed", hint="pip install 'samjhadoo-ops[local]'")


def _host_servers(
    places: Places, stack: str, progress: Progress
) -> tuple[HostServers | ContainerServers, str]:
    """Return how PostgreSQL and Redis run on this machine, and the database's password."""
    from samjhadoo_ops import artifacts
    from samjhadoo_ops.stack import postgres

    home = artifacts.postgres_home(progress)
    account = postgres.server_account()
    template = postgres.template(home, progress=progress)
    plan = PostgresPlan(
        home=str(home),
        template=str(template),
        folder=str(postgres.server_folder(account, places.run(stack))),
        account=account,
        copy_home=account is not None and not postgres.reachable(home),
    )
    return HostServers(plan, str(artifacts.redis_server())), (template / "password").read_text()


def _containers(settings: StackSettings, progress: Progress) -> ContainerServers:
    """Return which images PostgreSQL, Redis and LocalStack run from; each is in the engine afterwards."""
    from samjhadoo_ops import engine
    from samjhadoo_ops.stack.images import ensure

    client = engine.connect()
    try:
        images = settings.images
        wanted = {"postgres": images.postgres, "redis": images.redis, "pause": images.pause}
        if not settings.upstream:
            wanted["localstack"] = images.localstack
        wanted["pause"] = wanted["pause"] or images.localstack
        found = {key: ensure(client, key, images.named(name), progress) for key, name in wanted.items()}
        return ContainerServers(
            postgres=found["postgres"],
            redis=found["redis"],
            localstack=found.get("localstack", ""),
            localstack_variables=settings.localstack,
            pause=found["pause"],
            engine=engine.address(),
        )
    finally:
        client.close()
