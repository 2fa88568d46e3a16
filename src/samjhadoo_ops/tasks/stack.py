"""Start, stop and inspect the local stack."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from msgspec import structs

from samjhadoo_ops.console import current_console
from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.tasks.load import load
from samjhadoo_ops.tasks.services import WHICH
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from invoke.context import Context

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.stack import StackEndpoints
    from samjhadoo_ops.stack.inspection import StackProcess, StackStatus

_MIB = 1 << 20


@ops_task(example="invoke stack.up")
def up(c: Context, *, env: str = "local") -> None:
    """Start the local stack, unless it is running."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        running = stack.status(environment).running
        console.line("the stack is already running" if running else "would start the stack")
        return
    endpoints = stack.up(environment, console)
    console.result("up", 0, _addresses(endpoints), **_endpoint_fields(endpoints))


@ops_task(example="invoke stack.down")
def down(c: Context, *, env: str = "local") -> None:
    """Stop the local stack and remove its files."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        running = stack.status(environment).running
        console.line("would stop the stack" if running else "the stack is not running")
        return
    stopped = stack.down(environment, console)
    text = "the stack is stopped" if stopped else "the stack was not running"
    console.result("down", 0, text, stopped=stopped)


@ops_task(example="invoke stack.reset")
def reset(c: Context, *, env: str = "local") -> None:
    """Stop the local stack and start a fresh one."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        console.line("would stop the stack and start a fresh one")
        return
    endpoints = stack.reset(environment, console)
    console.result("up", 0, _addresses(endpoints), **_endpoint_fields(endpoints))


@ops_task(example="invoke stack.pull")
def pull(c: Context, *, env: str = "local") -> None:
    """Fetch what the stack needs, without starting it."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        console.line("would fetch what the stack needs")
        return
    stack.fetch(environment, console)
    console.result("fetched", 0, "everything that the stack needs is here")


@ops_task(default=True, example="invoke stack.status --json")
def status(_c: Context, *, env: str = "local") -> None:
    """Show addresses, processes and AWS services."""
    from msgspec import to_builtins

    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console = current_console()
    found = stack.status(load_environment(env))
    if console.mode == "json":
        console.event("stack", **to_builtins(found))
    else:
        _show(console, found)


@ops_task(
    help={
        "process": "Show this process only: emulator, postgres, redis, seeds, …",
        "lines": "How many of the last lines of each log to show.",
        "follow": "Also show new lines until the stack ends.",
    },
    example="invoke stack.logs --process emulator --follow",
)
def logs(
    _c: Context, *, env: str = "local", process: str = "", lines: int = 20, follow: bool = False
) -> None:
    """Show the logs of the stack's processes."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.stack import logs as stack_logs
    from samjhadoo_ops.tasks.session import not_negative

    not_negative("--lines", lines)
    console = current_console()
    files = stack_logs.select(stack_logs.log_files(load_environment(env)), process)

    def show_line(name: str, line: str) -> None:
        console.show(f"{name:<10} {line}", process=name, line=line)

    stack_logs.show(files, lines, show_line)
    if follow:
        stack_logs.follow(files, show_line)


@ops_task(help=WHICH, example='eval "$(invoke stack.env)"')
def env(_c: Context, *, env: str = "local", service: str = "") -> None:
    """Print variables for other programs."""
    from samjhadoo_ops.stack.lifecycle import find
    from samjhadoo_ops.stack.variables import client_variables, shell_lines
    from samjhadoo_ops.tasks.session import open_session

    session = open_session(env, service=service, common=True)
    state = find(session.env)
    if state is None:
        raise ConfigurationError(f"the environment {env} has no local stack", hint="use --env local")
    own = structs.replace(state.endpoints, production=session.production, test=session.test)
    variables = client_variables(session.env, session.aws, own)
    session.console.disclose("variables", shell_lines(variables), **variables)


collection = Collection("stack", up, down, reset, pull, status, logs, env, load)
collection.__doc__ = "Start, stop and inspect the local stack."


def _endpoint_fields(endpoints: StackEndpoints) -> dict[str, Any]:
    several = {
        name: {"production": production, "test": test}
        for name, (production, test) in endpoints.services.items()
    }
    return {
        "aws": endpoints.aws,
        "production": endpoints.production,
        "test": endpoints.test,
        **({"services": several} if several else {}),
    }


def _addresses(endpoints: StackEndpoints) -> str:
    """Return the addresses for a person, and the command that deploys to them."""
    services = endpoints.services or {"": (endpoints.production, endpoints.test)}
    rows = [("AWS", endpoints.aws), *_service_rows(services)]
    width = max(len(name) for name, _ in rows)
    lines = [f"{name:<{width}}  {address}" for name, address in rows]
    return "\n".join(["the stack is up", *lines, "deploy to it with: invoke deploy"])


def _service_rows(services: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    return [
        (f"{name} {kind}".lstrip(), url)
        for name, urls in services.items()
        for kind, url in zip(("production", "test"), urls, strict=True)
    ]


def _show(console: Console, found: StackStatus) -> None:
    """Show the status to a person."""
    if not found.running or found.endpoints is None or found.clock is None:
        why = f"; it ended: {found.reason}" if found.reason else ""
        console.show(f"the stack is not running{why}")
        for line in found.details:  # the end of its log
            console.show(f"  {line}")
        logs = "its logs: invoke stack.logs; " if found.logs else ""
        console.show(f"{logs}start it with: invoke stack.up")
        return
    console.show(f"the {found.kind} stack is running; an emulated minute takes {found.clock.minute:g} s\n")
    console.table(["Endpoint", "Address"], list(_endpoint_rows(found)))
    console.show("")
    console.table(["Process", "Pid", "Processes", "MiB"], list(_process_rows(found)))
    if found.containers:
        console.show("")
        rows = [(each.name, each.image, each.state) for each in found.containers]
        console.table(["Container", "Image", "State"], rows)
    console.show(f"\nAWS services: {_serving(found.services)}")


def _endpoint_rows(found: StackStatus) -> Iterator[tuple[str, str]]:
    """Yield every address once: listeners that are not the service's follow it."""
    assert found.endpoints is not None  # noqa: S101 - it is running
    addresses = found.endpoints
    services = _service_rows(found.deployed or {"": (addresses.production, addresses.test)})
    yield ("AWS", addresses.aws)
    yield from services
    known = {url.rpartition(":")[2] for _, url in services}
    for each in found.listeners:
        if str(each.bound_port) not in known:
            yield (f"{each.load_balancer}:{each.port}", f"127.0.0.1:{each.bound_port}")
    yield ("PostgreSQL", addresses.postgres)
    yield ("Redis", addresses.redis)
    yield ("logs", found.logs)


def _process_rows(found: StackStatus) -> Iterator[tuple[Any, ...]]:
    """Yield one row for all processes of the same name, with the id of the first."""
    groups: dict[str, list[StackProcess]] = {}
    for process in found.processes:
        groups.setdefault(process.name, []).append(process)
    for name, group in [*groups.items(), ("all", list(found.processes))]:
        memory = sum(process.memory for process in group) / _MIB
        yield (name, "" if name == "all" else group[0].pid, len(group), f"{memory:.0f}")


def _serving(services: Mapping[str, str]) -> str:
    """Describe what serves the AWS services; the upstream has too many to name them all."""
    live = sorted(service for service, server in services.items() if server == "live")
    others = Counter(server for server in services.values() if server != "live")
    rest = [f"{count} others ({server})" for server, count in others.items()]
    return "; ".join([f"{', '.join(live)} (live)", *rest])
