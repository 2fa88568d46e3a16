"""Runs the containers of a stack: `python -m samjhadoo_ops.stack.container_runner PLAN PORTS`.

Starts PostgreSQL, Redis and LocalStack with testcontainers, each published on loopback only, in a network of
the stack's own. Writes `containers.json` when they are ready, and waits for SIGTERM or for the end of any of
them, which ends the stack. The supervisor then removes everything with the stack's label from the engine; if
this process is killed, its reaper does. testcontainers' own reaper is not used: it would end the stack
together with the command that started it, and its image may be missing.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec

from samjhadoo_ops import engine
from samjhadoo_ops.processes import LOOPBACK
from samjhadoo_ops.stack import postgres
from samjhadoo_ops.stack.plan import ContainerServers, Ports, StackPlan
from samjhadoo_ops.stack.servers import JOINED, STARTED, Reaper, network
from samjhadoo_ops.stack.state import ContainerRef, StackPaths, write_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future

_ALIAS_PORTS = {"postgres": 5432, "redis": 6379, "localstack": 4566}
_REDIS = (
    # On the command line every user of this machine could read the password.
    'umask 077 && echo "requirepass $REDIS_PASSWORD" > /tmp/redis.conf && chown redis /tmp/redis.conf && '
    "exec docker-entrypoint.sh redis-server /tmp/redis.conf --save '' --appendonly no"
)
_SIGNALLED = 128
_TICK = 0.25
_TAIL = 10


class ContainerEnded(Exception):
    """A container did not start, or ended at once; the last line of the text names it and the reason."""


class ContainerRunner:
    """The containers of one stack; their logs go to `logs/` in its folder."""

    def __init__(self, plan: StackPlan, servers: ContainerServers, ports: Ports, folder: Path) -> None:
        self._plan = plan
        self._servers = servers
        self._ports = ports
        self._folder = folder
        self._labels = engine.labels(plan.id, StackPaths(Path(plan.root)).mark)
        self._reaper = Reaper(engine.labels(plan.id))
        self._ended: queue.SimpleQueue[str] = queue.SimpleQueue()

    def start(self) -> None:
        """Start all containers, and write `containers.json` once they are ready."""
        from testcontainers.core.network import Network

        joined = Network(docker_network_kw={"labels": self._labels})
        joined.name = network(self._plan.id)
        joined.create()
        (self._folder / JOINED).touch()
        makers: dict[str, Callable[[], Any]] = {"postgres": self._postgres, "redis": self._redis}
        if self._servers.localstack:
            makers["localstack"] = self._localstack
        containers = {name: make() for name, make in makers.items()}
        pool = ThreadPoolExecutor(len(containers))
        starting = {
            name: pool.submit(self._run, name, container, joined) for name, container in containers.items()
        }
        while wait(starting.values(), timeout=_TICK, return_when=FIRST_EXCEPTION).not_done:
            # testcontainers would wait two minutes for a container that has ended.
            _require_running(containers, starting)
        started = tuple(each.result() for each in starting.values())
        write_bytes(self._folder / STARTED, msgspec.json.encode(started))

    def wait(self) -> str:
        """Wait until a container ends; describe which one and how."""
        return self._ended.get()

    def leave(self) -> None:
        """Leave the removal to the supervisor, which ends running tasks first."""
        self._reaper.dismiss()

    def _run(self, name: str, container: Any, joined: Any) -> ContainerRef:
        """Start a container, wait until it is ready, and watch it."""
        from docker.errors import APIError

        port = _ALIAS_PORTS[name]
        container.ports = {f"{port}/tcp": (LOOPBACK, getattr(self._ports, name))}
        container.with_network(joined).with_network_aliases(name).with_name(
            _resource_name(self._plan.id, name)
        )
        try:
            container.start()
        except APIError as error:
            raise ContainerEnded(f"container {name} ({container.image}) did not start: {error}") from error
        wrapped = container.get_wrapped_container()
        if name == "postgres":
            self._create_database()
        for work in (self._watch, self._write_log):
            threading.Thread(target=work, args=(name, wrapped), daemon=True).start()
        _log(f"container {name} ({wrapped.short_id}) is ready")  # the log then shows which one is not
        return ContainerRef(name, str(wrapped.id), container.image)

    def _postgres(self) -> Any:
        from testcontainers.community.postgres import PostgresContainer

        container = PostgresContainer(
            self._servers.postgres, username="postgres", password=self._plan.password, dbname="postgres"
        )
        container.with_command(["postgres", *postgres.tuning()])
        return container.with_kwargs(**self._engine_options("postgres", "/var/lib/postgresql/data"))

    def _redis(self) -> Any:
        from testcontainers.community.redis import RedisContainer

        container = RedisContainer(self._servers.redis, password=self._plan.redis_password)
        container.with_env("REDIS_PASSWORD", self._plan.redis_password).with_command(["sh", "-c", _REDIS])
        return container.with_kwargs(**self._engine_options("redis", "/data"))

    def _localstack(self) -> Any:
        from testcontainers.community.localstack import LocalStackContainer

        container = LocalStackContainer(self._servers.localstack, region_name=self._plan.region)
        # The URLs that it returns (of queues, of objects) have to lead to the edge.
        container.with_env("LOCALSTACK_HOST", f"{LOOPBACK}:{self._ports.edge}")
        if token := os.environ.get("LOCALSTACK_AUTH_TOKEN"):
            container.with_env("LOCALSTACK_AUTH_TOKEN", token)
        for name, value in self._servers.localstack_variables.items():
            container.with_env(name, value)
        return container.with_kwargs(**self._engine_options("localstack", "/var/lib/localstack"))

    def _engine_options(self, name: str, data: str) -> dict[str, Any]:
        """Return what testcontainers has no methods for: labels, and the volume that the image declares."""
        from docker.types import Mount

        # Named and labelled: the image's anonymous volume would remain after the container is removed.
        volume = Mount(data, _resource_name(self._plan.id, name), type="volume", labels=self._labels)
        return {"labels": dict(self._labels), "mounts": [volume], "hostname": name}

    def _create_database(self) -> None:
        """Create the application's role (not a superuser, as on RDS) and its database."""
        import psycopg

        with psycopg.connect(
            host=LOOPBACK,
            port=self._ports.postgres,
            user="postgres",
            password=self._plan.password,
            dbname="postgres",
            autocommit=True,
        ) as connection:
            for statement in postgres.statements(self._plan.password):
                connection.execute(statement)

    def _watch(self, name: str, container: Any) -> None:
        how = "is gone"
        with suppress(Exception):  # whatever the engine answers: the container is gone
            code = int(container.wait()["StatusCode"])
            how = f"ended with code {code}"
            if code > _SIGNALLED:
                with suppress(ValueError):
                    how = f"was killed by {signal.Signals(code - _SIGNALLED).name}"
        self._ended.put(f"container {name} ({container.short_id}) {how}")

    def _write_log(self, name: str, container: Any) -> None:
        with suppress(Exception), (self._folder / "logs" / f"{name}.log").open("ab") as log:
            for piece in container.logs(stream=True, follow=True):
                log.write(piece)
                log.flush()


def _require_running(containers: Mapping[str, Any], starting: Mapping[str, Future[Any]]) -> None:
    """Raise the exception of a failed start, or `ContainerEnded` with what the container logged last."""
    from docker.errors import NotFound

    for name, container in containers.items():
        if starting[name].done():
            starting[name].result()
            continue
        try:
            wrapped = container.get_wrapped_container()
            wrapped.reload()
        except NotFound:
            raise ContainerEnded(f"container {name} ({container.image}) was removed") from None
        except Exception:  # noqa: BLE001, S112 - it does not exist yet, or the engine is busy
            continue
        if wrapped.status in {"exited", "dead"}:
            last = wrapped.logs(tail=_TAIL).decode(errors="replace")
            code = wrapped.attrs["State"]["ExitCode"]
            how = f"container {name} ({container.image}) ended with code {code}"
            raise ContainerEnded(f"{last.rstrip()}\n{how}".lstrip())


def _resource_name(stack: str, name: str) -> str:
    return f"{network(stack)}-{name}"


def main(argv: Sequence[str]) -> NoReturn:
    """Run the containers of the plan in file `argv[0]` on the ports `argv[1]` (JSON)."""
    from testcontainers.core.config import ConnectionMode, testcontainers_config

    testcontainers_config.ryuk_disabled = True
    testcontainers_config.hub_image_name_prefix = ""  # the plan has the full image names
    # Ports are published on loopback, also where this machine is a container itself.
    testcontainers_config.connection_mode_override = ConnectionMode.docker_host
    testcontainers_config.tc_host_override = LOOPBACK
    file = Path(argv[0])
    plan = msgspec.json.decode(file.read_bytes(), type=StackPlan)
    ports = msgspec.json.decode(argv[1], type=Ports)
    if not isinstance(plan.servers, ContainerServers):
        sys.exit(f"{file} is not a plan of a containers stack")

    def leave(*_: object) -> NoReturn:
        raise SystemExit(0)

    status = 1
    runner = ContainerRunner(plan, plan.servers, ports, file.parent)
    try:
        signal.signal(signal.SIGTERM, leave)
        runner.start()
        _log(runner.wait())
    except SystemExit:
        status = 0
    except ContainerEnded as error:
        _log(str(error))
    except Exception as error:  # noqa: BLE001 - any error is logged, and nothing may remain
        _log(f"{type(error).__name__}: {error}")
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        runner.leave()
    sys.stderr.flush()
    # Threads that wait for the engine would keep the process alive.
    os._exit(status)


def _log(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is the process's log


if __name__ == "__main__":
    main(sys.argv[1:])
