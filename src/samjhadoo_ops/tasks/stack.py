"""The local stack: start, stop and look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.collection import Collection

from samjhadoo_ops.console import current_console
from samjhadoo_ops.tasks.task import ops_task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoke.context import Context

    from samjhadoo_ops.console import Console
    from samjhadoo_ops.stack import StackEndpoints
    from samjhadoo_ops.stack.inspection import StackStatus
    from samjhadoo_ops.stack.state import Addresses

_MIB = 1 << 20


@ops_task()
def up(c: Context, *, env: str = "local") -> None:
    """Start the local stack, or find the one that runs."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        running = stack.status(environment).running
        console.line("the stack is up" if running else "would start the stack")
        return
    endpoints = stack.up(environment, console)
    console.result("up", 0, _listening(endpoints), **_endpoint_fields(endpoints))


@ops_task()
def down(c: Context, *, env: str = "local") -> None:
    """Stop the local stack and remove its files."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        running = stack.status(environment).running
        console.line("would stop the stack" if running else "no stack is running")
        return
    stopped = stack.down(environment, console)
    console.result("down", 0, "the stack is down" if stopped else "no stack was running", stopped=stopped)


@ops_task()
def reset(c: Context, *, env: str = "local") -> None:
    """Stop the local stack and start a fresh one."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        console.line("would stop the stack and start a fresh one")
        return
    endpoints = stack.reset(environment, console)
    console.result("up", 0, _listening(endpoints), **_endpoint_fields(endpoints))


@ops_task()
def pull(c: Context, *, env: str = "local") -> None:
    """Fetch what the local stack needs, without starting it."""
    from samjhadoo_ops import stack
    from samjhadoo_ops.environment import load_environment

    console, environment = current_console(), load_environment(env)
    if c.config.run.dry:
        console.line("would fetch what the stack needs")
        return
    stack.fetch(environment, console)
    console.result("fetched", 0, "the stack has all it needs")


@ops_task(default=True)
def status(_c: Context, *, env: str = "local") -> None:
    """Show endpoints, processes and who serves what."""
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
        "process": "Only this process: emulator, postgres, redis, seeds, …",
        "lines": "How many of the last lines of each.",
        "follow": "Go on with what comes, until the stack ends.",
    }
)
def logs(
    _c: Context, *, env: str = "local", process: str = "", lines: int = 20, follow: bool = False
) -> None:
    """Show what the stack's processes wrote."""
    from samjhadoo_ops.environment import load_environment
    from samjhadoo_ops.stack import logs as stack_logs

    console = current_console()
    files = stack_logs.select(stack_logs.log_files(load_environment(env)), process)

    def tell(name: str, line: str) -> None:
        console.show(f"{name:<10} {line}", process=name, line=line)

    stack_logs.show(files, lines, tell)
    if follow:
        stack_logs.follow(files, tell)


collection = Collection("stack", up, down, reset, pull, status, logs)
collection.__doc__ = "The local stack: start, stop and look at it."


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


def _listening(endpoints: StackEndpoints) -> str:
    """Return in words where the service, or each of several, is reached."""
    paths = endpoints.services or {"": (endpoints.production, endpoints.test)}
    return "\n".join(
        f"{name}: production {production}  test {test}".removeprefix(": ")
        for name, (production, test) in paths.items()
    )


def _service_rows(found: StackStatus, paths: Addresses) -> list[tuple[str, str]]:
    if not found.deployed:
        return [("production", paths.production), ("test", paths.test)]
    return [
        (f"{name}, {kind}", url)
        for name, urls in found.deployed.items()
        for kind, url in zip(("production", "test"), urls, strict=True)
    ]


def _show(console: Console, found: StackStatus) -> None:
    """Show the status to a person."""
    if not found.running or found.endpoints is None or found.clock is None:
        why = f"; it ended: {found.reason}" if found.reason else ""
        console.show(f"the stack is not running{why}")
        for line in found.details:
            console.show(f"  {line}")
        return
    console.show(f"stack {found.id} ({found.kind}) is up; a minute takes {found.clock.minute:g} s\n")
    paths = found.endpoints
    console.table(
        ["Endpoint", "Address"],
        [
            ("AWS", paths.aws),
            *_service_rows(found, paths),
            ("PostgreSQL", paths.postgres),
            ("Redis", paths.redis),
            *(
                (f"{listener.load_balancer}:{listener.port}", f"127.0.0.1:{listener.bound_port}")
                for listener in found.listeners
            ),
            ("logs", found.logs),
        ],
    )
    console.show("")
    memory = sum(process.memory for process in found.processes)
    console.table(
        ["Process", "Pid", "MiB"],
        [
            *((process.name, process.pid, f"{process.memory / _MIB:.0f}") for process in found.processes),
            ("all", "", f"{memory / _MIB:.0f}"),
        ],
    )
    if found.containers:
        console.show("")
        rows = [(each.name, each.image, each.state) for each in found.containers]
        console.table(["Container", "Image", "State"], rows)
    console.show("")
    for line in _serving(found.services):
        console.show(line)


def _serving(services: Mapping[str, str]) -> list[str]:
    """Return in words who serves which AWS services; the upstream has too many to name them all."""
    by: dict[str, list[str]] = {}
    for service, who in sorted(services.items()):
        by.setdefault(who, []).append(service)
    others = [f"{who}: {len(served)} other AWS services" for who, served in by.items() if who != "live"]
    return [f"live: {', '.join(by.get('live', []))}", *others]
