"""The servers of a stack as its supervisor starts them: processes of this machine, or containers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from samjhadoo_ops.engine import labels
from samjhadoo_ops.processes import LOOPBACK, free_ports
from samjhadoo_ops.stack import postgres, removal
from samjhadoo_ops.stack.children import StartFailed
from samjhadoo_ops.stack.plan import HostServers
from samjhadoo_ops.stack.state import ContainerRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.stack.children import Children
    from samjhadoo_ops.stack.plan import ContainerServers, Plan, Ports

KEEPER = "containers"
"""The process that keeps the containers."""
KEEPER_STOP = 5.0
"""Real seconds that it gets to end."""
STARTED = "containers.json"
"""Where it tells which containers it has started, once they are ready."""
JOINED = "network"
"""A file that it makes once the network is there."""
NETWORK_PREFIX = "samjhadoo-"


class Servers(Protocol):
    """PostgreSQL, Redis and what else a kind of stack has."""

    @property
    def scratch(self) -> Path:
        """A folder of theirs that may be outside the project, removed with the stack."""

    def ports(self, preferred: Ports) -> Ports:
        """Return the ports they are to have."""

    def begin(self, children: Children, ports: Ports) -> None:
        """Start what takes longest; called before the emulator is started."""

    def emulator(self, ports: Ports) -> list[str]:
        """Return the emulator's options."""

    def ready_for_emulator(self) -> bool:
        """Tell whether the emulator can start."""

    def ready_for_seeds(self) -> bool:
        """Tell whether the init hooks can begin."""

    def go_on(self, children: Children, ports: Ports) -> None:
        """Start the rest; called after the init hooks have been started."""

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:
        """Return what has to be ready, by name."""

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return the containers there are."""

    def remove(self) -> None:
        """Remove what the end of all processes leaves."""


class Processes:
    """PostgreSQL and Redis as processes of this machine."""

    def __init__(self, plan: HostServers, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self.scratch = Path(plan.postgres.folder)

    def ports(self, preferred: Ports) -> Ports:
        """Return free ports; see `Servers`."""
        postgres, redis = free_ports(preferred.postgres, preferred.redis)
        return msgspec.structs.replace(preferred, postgres=postgres, redis=redis)

    def begin(self, children: Children, ports: Ports) -> None:
        """Start nothing: they are quick; see `Servers`."""

    def emulator(self, ports: Ports) -> list[str]:  # noqa: ARG002 - as in Servers
        """Return nothing; see `Servers`."""
        return []

    def ready_for_emulator(self) -> bool:
        """Return true: it needs none of them; see `Servers`."""
        return True

    def ready_for_seeds(self) -> bool:
        """Return true: the hooks ask the edge only; see `Servers`."""
        return True

    def go_on(self, children: Children, ports: Ports) -> None:
        """Start both; see `Servers`.

        Raises:
            StartFailed: One could not be started.

        """
        folder = self._folder / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        redis = [self._plan.redis, *("--bind", LOOPBACK), *("--port", str(ports.redis)), *("--save", "")]
        # It keeps nothing: there is nothing to say goodbye to.
        command = [*redis, *("--appendonly", "no"), *("--dir", str(folder))]
        children.start("redis", command, stop=signal.SIGKILL)
        self._start_postgres(children, ports.postgres)

    def _start_postgres(self, children: Children, port: int) -> None:
        plan = self._plan.postgres
        shutil.rmtree(plan.folder, ignore_errors=True)  # of a first try
        try:
            home = postgres.install(plan)
        except OSError as error:
            raise StartFailed(f"PostgreSQL's folder {plan.folder} cannot be made: {error}") from error
        command = postgres.command(home, self.scratch, port)
        # SIGQUIT is its immediate shutdown: the data is thrown away.
        children.start("postgres", command, stop=signal.SIGQUIT, folder=self.scratch, account=plan.account)

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:
        """Return when both are ready; see `Servers`."""
        return {
            "postgres": lambda: postgres.is_ready(self.scratch),
            "redis": lambda: _redis_answers(ports.redis),
        }

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return none; see `Servers`."""
        return ()

    def remove(self) -> None:
        """Remove nothing: nothing is left; see `Servers`."""


class Containers:
    """PostgreSQL, Redis and LocalStack as containers that a process of the stack keeps (`keeper`)."""

    def __init__(self, stack: str, plan: ContainerServers, folder: Path) -> None:
        self._stack = stack
        self._plan = plan
        self._folder = folder
        self._started = folder / STARTED
        self.scratch = folder / "scratch"

    def ports(self, preferred: Ports) -> Ports:
        """Return free ports, one of them for LocalStack; see `Servers`."""
        postgres, redis, localstack = free_ports(preferred.postgres, preferred.redis, 0)
        return msgspec.structs.replace(
            preferred,
            postgres=postgres,
            redis=redis,
            localstack=localstack if self._plan.localstack else 0,
        )

    def begin(self, children: Children, ports: Ports) -> None:
        """Start the keeper; see `Servers`.

        Raises:
            StartFailed: It could not be started.

        """
        self._started.unlink(missing_ok=True)
        (self._folder / JOINED).unlink(missing_ok=True)
        given = json.dumps(msgspec.to_builtins(ports))
        command = [sys.executable, "-m", "samjhadoo_ops.stack.keeper", str(self._folder / "plan.json"), given]
        variables = {"DOCKER_HOST": self._plan.engine} if self._plan.engine else {}
        children.start(
            KEEPER, command, stop=signal.SIGTERM, variables=variables, grace=KEEPER_STOP, last=True
        )

    def emulator(self, ports: Ports) -> list[str]:
        """Return the options of the Docker runtime and the upstream; see `Servers`."""
        upstream = ["--upstream", f"http://{LOOPBACK}:{ports.localstack}"] if ports.localstack else []
        return [
            *("--runtime", "docker", "--network", network(self._stack), "--pause-image", self._plan.pause),
            *("--forward", f"{ports.postgres}=postgres:5432", "--forward", f"{ports.redis}=redis:6379"),
            *upstream,
        ]

    def ready_for_emulator(self) -> bool:
        """Tell whether the network is there that tasks join; see `Servers`."""
        return (self._folder / JOINED).exists()

    def ready_for_seeds(self) -> bool:
        """Tell whether LocalStack is ready; see `Servers`."""
        return self._started.exists()

    def go_on(self, children: Children, ports: Ports) -> None:
        """Start nothing more; see `Servers`."""

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:  # noqa: ARG002 - as in Servers
        """Return when all containers are ready; see `Servers`."""
        return {"the containers": self._started.exists}

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return the containers that the keeper started; see `Servers`."""
        return msgspec.json.decode(self._started.read_bytes(), type=tuple[ContainerRef, ...])

    def remove(self) -> None:
        """Remove everything of the stack from the engine; see `Servers`.

        What could not be removed in time is removed by the next start or stop.
        """
        if self._plan.engine:
            os.environ["DOCKER_HOST"] = self._plan.engine
        removal.remove(labels(self._stack))


def servers_of(plan: Plan, folder: Path) -> Processes | Containers:
    """Return the servers of a plan; `folder` is the stack's."""
    if isinstance(plan.servers, HostServers):
        return Processes(plan.servers, folder)
    return Containers(plan.id, plan.servers, folder)


def network(stack: str) -> str:
    """Return the name of a stack's Docker network."""
    return f"{NETWORK_PREFIX}{stack}"


def _redis_answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
