"""A stack's servers as its supervisor starts them: processes of this machine, or containers.

Containers, networks and volumes are removed by the emulator's `docker_cleanup`, which outlives the stack: it
reads from a pipe, and removes everything with the stack's labels when the pipe is closed without a byte.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from samjhadoo_ops.engine import labels
from samjhadoo_ops.processes import LOOPBACK, MARKER, free_ports
from samjhadoo_ops.stack import postgres
from samjhadoo_ops.stack.children import StartFailed
from samjhadoo_ops.stack.plan import HostServers
from samjhadoo_ops.stack.state import ContainerRef, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.stack.children import Children
    from samjhadoo_ops.stack.plan import ContainerServers, Ports, StackPlan

RUNNER = "containers"
"""The name of the process that runs the containers (`container_runner`)."""
RUNNER_STOP = 5.0
"""Real seconds between its stop signal and SIGKILL."""
STARTED = "containers.json"
"""The file in which it lists the containers once they are ready."""
JOINED = "network"
"""The file that it creates once the network exists."""
NETWORK_PREFIX = "samjhadoo-"
REMOVAL_TIME = 30.0
"""Real seconds that a removal may take."""
_ORDERLY = b"."
_PATIENCE = 10.0


class Servers(Protocol):
    """PostgreSQL, Redis and the other servers of one kind of stack."""

    @property
    def scratch(self) -> Path:
        """Their folder, which may be outside the project; it is removed with the stack."""

    def ports(self, preferred: Ports) -> Ports:
        """Return the ports that they will use."""

    def begin(self, children: Children, ports: Ports) -> None:
        """Start what takes longest, before the emulator."""

    def emulator(self, ports: Ports) -> list[str]:
        """Return options for the emulator."""

    def ready_for_emulator(self) -> bool:
        """Return whether the emulator can start."""

    def ready_for_seeds(self) -> bool:
        """Return whether the init hooks can start."""

    def start_rest(self, children: Children, ports: Ports) -> None:
        """Start the rest, after the init hooks."""

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:
        """Return the conditions of a started stack, by name."""

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return the running containers."""

    def remove(self) -> None:
        """Remove what is left after the end of all processes."""


class Processes:
    """PostgreSQL and Redis as processes of this machine."""

    def __init__(self, plan: HostServers, folder: Path, redis_password: str) -> None:
        self._plan = plan
        self._redis_password = redis_password
        self._folder = folder
        self.scratch = Path(plan.postgres.folder)

    def ports(self, preferred: Ports) -> Ports:
        """Return free ports; see `Servers`."""
        postgres, redis = free_ports(preferred.postgres, preferred.redis)
        return msgspec.structs.replace(preferred, postgres=postgres, redis=redis)

    def begin(self, children: Children, ports: Ports) -> None:
        """Start nothing: they start quickly; see `Servers`."""

    def emulator(self, ports: Ports) -> list[str]:  # noqa: ARG002 - as in Servers
        """Return nothing; see `Servers`."""
        return []

    def ready_for_emulator(self) -> bool:
        """Return true: it does not need them; see `Servers`."""
        return True

    def ready_for_seeds(self) -> bool:
        """Return true: the hooks only call the edge; see `Servers`."""
        return True

    def start_rest(self, children: Children, ports: Ports) -> None:
        """Start both; see `Servers`."""
        folder = self._folder / "redis"
        folder.mkdir(parents=True, exist_ok=True)
        secret = folder / "redis.conf"  # on the command line every user of this machine could read it
        write_bytes(secret, f"requirepass {self._redis_password}\n".encode())
        redis = [self._plan.redis, str(secret), *("--bind", LOOPBACK), *("--port", str(ports.redis))]
        # It writes nothing to disk, so SIGKILL does no harm.
        command = [*redis, *("--save", ""), *("--appendonly", "no"), *("--dir", str(folder))]
        children.start("redis", command, stop=signal.SIGKILL)
        self._start_postgres(children, ports.postgres)

    def _start_postgres(self, children: Children, port: int) -> None:
        plan = self._plan.postgres
        shutil.rmtree(plan.folder, ignore_errors=True)  # left by a first try
        try:
            home = postgres.install(plan)
        except OSError as error:
            raise StartFailed(f"PostgreSQL's folder {plan.folder} cannot be created: {error}") from error
        command = postgres.command(home, self.scratch, port)
        # SIGQUIT is its immediate shutdown: the data is thrown away.
        children.start("postgres", command, stop=signal.SIGQUIT, folder=self.scratch, account=plan.account)

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:
        """Return when both are ready; see `Servers`."""
        return {
            "postgres": lambda: postgres.is_ready(self.scratch),
            "redis": lambda: _redis_answers(ports.redis, self._redis_password),
        }

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return none; see `Servers`."""
        return ()

    def remove(self) -> None:
        """Remove nothing: nothing is left; see `Servers`."""


class Containers:
    """PostgreSQL, Redis and LocalStack as containers, run by a process of the stack (`container_runner`)."""

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
        """Start the process that runs the containers; see `Servers`."""
        self._started.unlink(missing_ok=True)
        (self._folder / JOINED).unlink(missing_ok=True)
        given = json.dumps(msgspec.to_builtins(ports))
        command = [
            sys.executable,
            "-m",
            "samjhadoo_ops.stack.container_runner",
            str(self._folder / "plan.json"),
            given,
        ]
        variables = {"DOCKER_HOST": self._plan.engine} if self._plan.engine else {}
        children.start(
            RUNNER, command, stop=signal.SIGTERM, variables=variables, grace=RUNNER_STOP, last=True
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
        """Return whether the network that tasks join exists; see `Servers`."""
        return (self._folder / JOINED).exists()

    def ready_for_seeds(self) -> bool:
        """Return whether LocalStack is ready; see `Servers`."""
        return self._started.exists()

    def start_rest(self, children: Children, ports: Ports) -> None:
        """Start nothing more; see `Servers`."""

    def waiting_for(self, ports: Ports) -> dict[str, Callable[[], bool]]:  # noqa: ARG002 - as in Servers
        """Return when all containers are ready; see `Servers`."""
        return {"the containers": self._started.exists}

    def containers(self) -> tuple[ContainerRef, ...]:
        """Return the containers that were started; see `Servers`."""
        return msgspec.json.decode(self._started.read_bytes(), type=tuple[ContainerRef, ...])

    def remove(self) -> None:
        """Remove everything of the stack from the engine; see `Servers`.

        The next start or stop removes what could not be removed in time.
        """
        if self._plan.engine:
            os.environ["DOCKER_HOST"] = self._plan.engine
        remove_labelled(labels(self._stack))


def servers_of(plan: StackPlan, folder: Path) -> Processes | Containers:
    """Return the servers of a plan; `folder` is the stack's folder."""
    if isinstance(plan.servers, HostServers):
        return Processes(plan.servers, folder, plan.redis_password)
    return Containers(plan.id, plan.servers, folder)


def network(stack: str) -> str:
    """Return the name of a stack's Docker network."""
    return f"{NETWORK_PREFIX}{stack}"


def _redis_answers(port: int, password: str) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=0.2) as connection:
            connection.sendall(f"AUTH {password}\r\n".encode())
            return connection.recv(16).startswith(b"+OK")
    except OSError:
        return False


class Reaper:
    """Removes everything with certain labels from the engine if this process is killed."""

    def __init__(self, wanted: Mapping[str, str]) -> None:
        # Without the stack's marker: it has to survive when all processes of the stack are ended.
        variables = {name: value for name, value in os.environ.items() if name != MARKER}
        self._process = subprocess.Popen(
            _command(wanted),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=variables,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """End it; it removes nothing."""
        with suppress(OSError), self._process:
            if self._process.stdin is not None:
                self._process.stdin.write(_ORDERLY)
                self._process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_PATIENCE)


def remove_labelled(wanted: Mapping[str, str]) -> bool:
    """Remove everything with certain labels from the engine; return whether that succeeded."""
    try:
        done = subprocess.run(_command(wanted), stdin=subprocess.DEVNULL, timeout=REMOVAL_TIME, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _command(wanted: Mapping[str, str]) -> list[str]:
    labels = (f"{name}={value}" for name, value in wanted.items())
    return [sys.executable, "-m", "samjhadoo_emulator.docker_cleanup", *labels]
