"""Making the plan of a stack: what is fetched, where servers work, which ports are preferred."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shlex
import sys
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws import KEY_FILE
from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import start_time
from samjhadoo_ops.stack import exits
from samjhadoo_ops.stack.plan import ContainerServers, HostServers, Ports, PostgresPlan, StackPlan, Starter
from samjhadoo_ops.stack.state import write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from samjhadoo_ops.console import Progress
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.environment.schema import StackSettings
    from samjhadoo_ops.stack.state import StackPaths

OWNER = "SAMJHADOO_STACK_OWNER"
"""The variable with the id of a process; the stack ends when that process does, for whatever reason."""
_PID = re.compile(r"[0-9]{1,10}")


def make_plan(
    env: Environment, paths: StackPaths, progress: Progress, *, owner: int | None = None
) -> StackPlan:
    """Fetch what the stack needs and decide how it is started; see `stack.up` for owner and errors."""
    from samjhadoo_ops import artifacts
    from samjhadoo_ops.artifacts import flyway
    from samjhadoo_ops.stack import seeds

    if env.stack is None:
        raise ConfigurationError(f"the environment {env.name} has no local stack", hint="use --env local")
    stack, starter = paths.new_id(), _starter(owner)
    _require_emulator()
    if env.stack.kind == "embedded":
        postgres_home, flyway_home = artifacts.postgres_and_flyway(progress)
        servers, password = _host_servers(postgres_home, paths, stack, progress)
        # The recording needs the PostgreSQL of an embedded stack; containers stacks use its result.
        training = not flyway.is_trained(flyway_home)
    else:
        flyway.home(progress)
        servers, password, training = _containers(env.stack, progress), secrets.token_urlsafe(18), False
    return StackPlan(
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
        redis_password=secrets.token_urlsafe(18),
        servers=servers,
        emulator=_emulator(env, env.stack),
        variables={},
        seeds=seeds.seed_scripts(env.root),
        seed_variables=seeds.seed_variables(env),
        starter=starter,
        stacks=bool(env.infrastructure.stacks),
        training=training,
    )


def _starter(owner: int | None) -> Starter | None:
    """Return the process that the stack ends with: the named one, or the shell."""
    named = os.environ.get(OWNER, "") if owner is None else str(owner)
    if not named:
        shell = exits.watching_shell()
        return Starter(f"shell ({shell[2]}, {shell[0]})", *shell[:2], exit_counts=False) if shell else None
    started = start_time(int(named)) if _PID.fullmatch(named) else ""
    if not started or not exits.can_watch(int(named), started):
        raise ConfigurationError(f"{OWNER}: expected the id of a running process, found {named!r}")
    return Starter(f"owner ({named})", int(named), started, exit_counts=True)


def _emulator(env: Environment, settings: StackSettings) -> tuple[str, ...]:
    """Return the emulator's options for the settings."""
    given = {
        "--upstream": settings.upstream,
        "--upstream-ca": str(env.root / settings.upstream_ca) if settings.upstream_ca else "",
        "--key-file": str(_key_file(env.root)),
        "--require-key": settings.require_key,
    }
    options = [part for option, value in given.items() if value for part in (option, value)]
    repeated: dict[str, Sequence[str]] = {
        "--pass-on": settings.passed_on,
        "--allow-origin": settings.allow_origins,
        "--allow-host": settings.allow_hosts,
        "--allow-user": settings.allow_users,
    }
    options += [part for option, values in repeated.items() for value in values for part in (option, value)]
    if settings.kind == "embedded":
        options += [part for command in host_commands() for part in ("--host-command", command)]
        # This machine's packages stand for those of the base images that the project builds.
        options += [part for base in _bases(env, settings) for part in ("--host-packages", base)]
    return tuple(options)


def _bases(env: Environment, settings: StackSettings) -> list[str]:
    """Return the base images that the stack's interpreter stands for, with its packages."""
    built = [base for each in (env, *env.services.values()) for base in each.build.bases]
    return list(dict.fromkeys([*built, *settings.host_packages]))


def _key_file(root: Path) -> Path:
    """Return the file with the stack's key, which is made if there is none, for its owner only."""
    file = root.resolve() / KEY_FILE
    if not file.exists():
        write_bytes(file, f"stack{secrets.token_hex(16)}\n".encode())
    return file


def host_commands() -> Iterator[str]:
    """Yield the programs of this machine that application images may run, as `NAME=COMMAND`."""
    from samjhadoo_ops import artifacts
    from samjhadoo_ops.artifacts import flyway

    yield f"java={shlex.join([str(flyway.java())])}"
    # Flyway is fetched when it is first called; a task's HOME is not the one with the cache.
    cache = f"{artifacts.CACHE_VARIABLE}={artifacts.cache_folder()}"
    yield f"flyway={shlex.join(['env', cache, sys.executable, '-m', 'samjhadoo_ops.artifacts.launch'])}"


def _require_emulator() -> None:
    """Check that the emulator's package is installed."""
    if importlib.util.find_spec("samjhadoo_emulator") is None:
        raise OpsError("samjhadoo-emulator is not installed", hint="pip install 'samjhadoo-ops[local]'")


def _host_servers(
    home: Path, paths: StackPaths, stack: str, progress: Progress
) -> tuple[HostServers | ContainerServers, str]:
    """Return how PostgreSQL and Redis run on this machine, and the database's password."""
    from samjhadoo_ops import artifacts
    from samjhadoo_ops.stack import postgres

    account = postgres.server_account()
    template = postgres.template(home, progress=progress)
    plan = PostgresPlan(
        home=str(home),
        template=str(template),
        folder=str(postgres.server_folder(account, paths.run(stack))),
        account=account,
        copy_home=account is not None and not postgres.reachable(home),
    )
    return HostServers(plan, str(artifacts.redis_server())), (template / "password").read_text()


def _containers(settings: StackSettings, progress: Progress) -> ContainerServers:
    """Return the images of PostgreSQL, Redis and LocalStack, pulled when they are missing."""
    from samjhadoo_ops import engine

    client = engine.connect()
    try:
        images = settings.images
        wanted = {"postgres": images.postgres, "redis": images.redis, "pause": images.pause}
        if not settings.upstream:
            wanted["localstack"] = images.localstack
        wanted["pause"] = wanted["pause"] or images.localstack
        found = {key: ensure_image(client, key, images.named(name), progress) for key, name in wanted.items()}
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


def ensure_image(client: Any, key: str, image: str, progress: Progress) -> str:
    """Return an image's name once the engine has it; pull it if it is missing.

    Args:
        key: The setting in `[stack.images]` that names it.

    Raises:
        ConfigurationError: The engine does not have it and cannot pull it.
    """
    from docker.errors import DockerException, ImageNotFound
    from docker.utils import parse_repository_tag

    try:
        client.images.get(image)
    except ImageNotFound:
        progress(f"pulling {image}")
        repository, tag = parse_repository_tag(image)
        try:
            client.images.pull(repository, tag=tag or "latest")
        except DockerException as error:
            raise ConfigurationError(
                f"stack.images.{key}: the Docker engine has no image {image} and cannot pull it: "
                f"{getattr(error, 'explanation', None) or error}",
                hint="name another image or a mirror in [stack.images], or build the stand-ins: "
                'eval "$(docker/airgap/build)"',
            ) from error
    except DockerException as error:
        raise ConfigurationError(f"stack.images.{key}: {image}: {error}") from error
    return image
