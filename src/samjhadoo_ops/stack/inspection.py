"""The present state of a stack: its processes, containers and listeners."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.aws import local_login
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.processes import LOOPBACK, is_running
from samjhadoo_ops.stack import lifecycle, watchdog
from samjhadoo_ops.stack.state import Addresses, ClockState  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.state import StackState

_SHORT = 12
_TIME = 5.0


class StackProcess(msgspec.Struct, frozen=True):
    """A process of the stack; `memory` is its resident set, in bytes."""

    name: str
    pid: int
    memory: int


class StackContainer(msgspec.Struct, frozen=True):
    """A container of the stack: one of its servers, or of an ECS task."""

    name: str
    id: str
    image: str
    state: str


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A listener of a load balancer: the port that AWS clients know, and the one on this machine."""

    load_balancer: str = ""
    port: int
    bound_port: int
    protocol: str = "HTTP"


class StackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the stack.

    Attributes:
        running: Whether it is up.
        reason: Why it ended, unless somebody stopped it.
        services: What serves each AWS service: `live` (the emulator) or the upstream's name.
        deployed: Production and test URL of each of the environment's services, when there are several.
    """

    running: bool
    reason: str = ""
    details: tuple[str, ...] = ()
    id: str = ""
    kind: str = ""
    environment: str = ""
    region: str = ""
    account: str = ""
    endpoints: Addresses | None = None
    clock: ClockState | None = None
    listeners: tuple[Listener, ...] = ()
    services: dict[str, str] = {}
    deployed: dict[str, tuple[str, str]] = {}
    processes: tuple[StackProcess, ...] = ()
    containers: tuple[StackContainer, ...] = ()
    logs: str = ""


def inspect(env: Environment) -> StackStatus:
    """Return the status of the project's stack."""
    state = lifecycle.find(env)
    if state is None:
        ended = lifecycle.why_ended(env)
        return StackStatus(
            running=False,
            reason=ended.reason if ended else "",
            details=ended.details if ended else (),
            logs=ended.logs if ended else "",
        )
    edge = int(state.endpoints.aws.rpartition(":")[2])
    return StackStatus(
        running=True,
        id=state.id,
        kind=state.kind,
        environment=state.environment,
        region=state.region,
        account=state.account,
        endpoints=state.endpoints,
        clock=state.clock,
        listeners=_listeners(edge, env.root),
        services=ask(edge, "services", env.root) or {},
        deployed=_deployed(edge, env),
        processes=tuple(processes(state)),
        containers=tuple(containers(state)),
        logs=state.logs,
    )


def _deployed(edge: int, env: Environment) -> dict[str, tuple[str, str]]:
    try:
        return service_urls(edge, env.services, env.root)
    except ConfigurationError:
        return {}  # started with other settings: the listeners show what there is


def processes(state: StackState) -> list[StackProcess]:
    """Return the running processes of a stack, those in its state file first."""
    import psutil

    known = {
        reference.pid: reference.name
        for reference in (state.supervisor, *state.processes)
        if is_running(reference.pid, reference.started)
    }
    found = []
    for pid in dict.fromkeys([*known, *watchdog.members(state.id)]):
        try:
            process = psutil.Process(pid)
            found.append(StackProcess(known.get(pid) or _name(process), pid, process.memory_info().rss))
        except psutil.Error:
            continue
    return found


def containers(state: StackState) -> list[StackContainer]:
    """Return a stack's containers in the Docker engine, its servers first."""
    if state.kind != "containers":
        return []
    from samjhadoo_ops import engine

    servers = {each.id: each.name for each in state.containers}
    try:
        client = engine.connect()
    except engine.EngineUnavailable:
        return []
    try:
        listed = client.api.containers(all=True, filters={"label": [f"{engine.STACK}={state.id}"]})
    finally:
        client.close()
    found = [
        StackContainer(
            servers.get(each["Id"]) or each["Names"][0].lstrip("/"),
            each["Id"][:_SHORT],
            each["Image"],
            each["Status"],
        )
        for each in listed
    ]
    return sorted(found, key=lambda each: (each.name not in servers.values(), each.name))


def _name(process: Any) -> str:
    command = process.cmdline()
    if any(part.endswith("stack/watchdog.py") for part in command):
        return "watchdog"
    return str(process.name())


def _listeners(edge: int, root: Path) -> tuple[Listener, ...]:
    return msgspec.convert(ask(edge, "listeners", root) or [], tuple[Listener, ...])


def ask(edge: int, path: str, root: Path) -> Any:
    """Return what the control endpoint has at `/_emulator/<path>`, if anything; `root` has the key."""
    connection = http.client.HTTPConnection(LOOPBACK, edge, timeout=_TIME)
    try:
        connection.request("GET", f"/_emulator/{path}", headers={"Authorization": local_login(root)})
        answer = connection.getresponse()
        return json.load(answer) if answer.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def bound_ports(edge: int, root: Path) -> dict[int, int]:
    """Return the port of this machine for each listener port of the load balancers."""
    return {each.port: each.bound_port for each in _listeners(edge, root)}


def service_urls(edge: int, services: Mapping[str, Environment], root: Path) -> dict[str, tuple[str, str]]:
    """Return each service's production and test URL; raise `ConfigurationError` if it has no listeners."""
    bound = {(each.load_balancer, each.port): each.bound_port for each in _listeners(edge, root)}
    return {name: _urls(bound, name, env) for name, env in services.items()}


def _urls(bound: Mapping[tuple[str, int], int], name: str, env: Environment) -> tuple[str, str]:
    service = env.service
    production, test = (
        bound.get((service.load_balancer, port))
        for port in (service.production_listener_port, service.test_listener_port)
    )
    if production is None or test is None:
        raise ConfigurationError(
            f"the running stack has no listeners for the service {name}: it was started with other settings",
            hint="run: invoke stack.reset",
        )
    return f"http://{LOOPBACK}:{production}", f"http://{LOOPBACK}:{test}"
