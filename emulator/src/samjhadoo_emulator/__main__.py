"""The emulator's command line: `samjhadoo-emulator`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.clock import REAL_MINUTE, Clock
from samjhadoo_emulator.ecs.runtime.docker import command_line as docker
from samjhadoo_emulator.ecs.runtime.host_commands import parse_host_command
from samjhadoo_emulator.errors import ConfigurationError
from samjhadoo_emulator.guard import command_line as guard
from samjhadoo_emulator.processes import MARKER
from samjhadoo_emulator.upstream.factory import add_arguments, create_upstream, refused
from samjhadoo_emulator.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.ecs.runtime.docker.engine_resources import EngineResources
    from samjhadoo_emulator.edge import Edge

DEFAULT_ACCOUNT = "000000000000"


def arguments() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = argparse.ArgumentParser(prog="samjhadoo-emulator", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; loopback by default")
    parser.add_argument("--port", type=int, default=4566, help="port of the edge")
    parser.add_argument("--fd", type=int, default=-1, help="listening socket inherited from the parent")
    parser.add_argument("--account", default=DEFAULT_ACCOUNT, help="account id")
    parser.add_argument("--region", default="ap-south-1", help="region for requests that do not name one")
    parser.add_argument(
        "--minute", type=float, default=REAL_MINUTE, help="real seconds in an emulated minute"
    )
    parser.add_argument(
        "--origin", type=float, default=0.0, help="Unix time at which the clock starts; now by default"
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=None,
        help="folder for images, logs and configuration; a temporary one by default",
    )
    parser.add_argument(
        "--runtime",
        default="process",
        choices=["process", "docker", "noop"],
        help="what tasks run as; with noop nothing runs",
    )
    parser.add_argument(
        "--host-command",
        action="append",
        default=[],
        type=_host_command,
        metavar="NAME=COMMAND",
        help="command of this machine that application images may run as NAME, for example "
        "java=/opt/jdk/bin/java; may be repeated (--runtime process)",
    )
    parser.add_argument(
        "--host-packages",
        action="append",
        default=[],
        metavar="BASE_IMAGE",
        help="base image whose Python packages are those of the emulator's interpreter, or * for every one; "
        "images on other bases see the standard library only; may be repeated (--runtime process)",
    )
    parser.add_argument(
        "--gate-before-bake",
        action="store_true",
        help="end a canary's second pause before its bake time has elapsed (AWS documents no order)",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        choices=sorted(VARIANTS),
        help="different behaviour where AWS documents none; may be repeated: "
        + "; ".join(f"{name}: {text}" for name, text in VARIANTS.items()),
    )
    guard.add_arguments(parser)
    add_arguments(parser)
    docker.add_arguments(parser)
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    return parser


def build(options: argparse.Namespace, resources: EngineResources | None = None) -> Edge:
    """Return the edge with every live service, ready to serve.

    Args:
        options: The command line's.
        resources: What the Docker runtime has in the engine.
    """
    from samjhadoo_emulator.control import PREFIX, control_application
    from samjhadoo_emulator.ecs.tasks.metadata import PREFIX as METADATA
    from samjhadoo_emulator.ecs.tasks.metadata import metadata_application
    from samjhadoo_emulator.edge import REGISTRY, Edge
    from samjhadoo_emulator.faults.table import JumpingTime
    from samjhadoo_emulator.registry import live_services, registry_application
    from samjhadoo_emulator.service import Host

    options.data_dir.mkdir(parents=True, exist_ok=True)
    jumps = JumpingTime()
    host = Host(
        account=options.account,
        clock=Clock(minute=options.minute, origin=options.origin or time.time(), read=jumps),
        data_dir=options.data_dir.resolve(),
        edge_url=f"http://{options.host}:{options.port}",
        environment={MARKER: os.environ[MARKER]} if MARKER in os.environ else {},
        options={
            "runtime": options.runtime,
            "docker": resources,
            "gate_before_bake": options.gate_before_bake,
            "host_commands": dict(options.host_command),
            "host_packages": frozenset(options.host_packages),
        },
        variants=frozenset(options.variant),
        jumps=jumps,
        keys=guard.keys_for(options),
    )
    services = {name: kind for name, kind in live_services().items() if name not in options.pass_on}
    registry = {REGISTRY: registry_application(lambda: edge)} if "ecr" in services else {}
    edge = Edge(
        host,
        services=services,
        upstream=create_upstream(options),
        prefixes={
            PREFIX: control_application(lambda: edge),
            **registry,
            METADATA: metadata_application(lambda: edge),
        },
        guard=guard.create_guard(options, host.keys, lambda: edge.aws(options.region)),
        region=options.region,
    )
    return edge


async def serve(options: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; then end every task, process and connection.

    Raises:
        ConfigurationError: The Docker engine cannot be used.
    """
    listener = socket.socket(fileno=options.fd) if options.fd >= 0 else _listen(options.host, options.port)
    # Connections inherit it. asyncio leaves Nagle's algorithm on for sockets whose protocol is not spelt out,
    # and a response of two writes (headers, body) then waits 40 ms for the client's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    options.port = listener.getsockname()[1]
    async with docker.engine_for(options) as (resources, sockets):
        await _serve(build(options, resources), [listener, *sockets])


async def _serve(edge: Edge, sockets: list[socket.socket]) -> None:
    import uvicorn

    from samjhadoo_emulator.connections import Connections, raise_descriptor_limit

    most = raise_descriptor_limit() // 2
    connections = Connections(most)
    server = uvicorn.Server(
        uvicorn.Config(
            edge,
            http=connections.protocol(),  # type: ignore[arg-type]
            backlog=min(2048, most // 2),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=1,
        )
    )
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(connections.failed)
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, lambda: setattr(server, "should_exit", True))
    try:
        # What was loaded so far stays. Without this, the garbage collector would spend a tenth of a second on
        # it, over and over.
        gc.collect()
        gc.freeze()
        logging.getLogger(__name__).info("listening on %s", edge.host.edge_url)
        await server.serve(sockets=sockets)
    finally:
        await edge.stop()


def _host_command(text: str) -> tuple[str, list[str]]:
    try:
        return parse_host_command(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def main(argv: Sequence[str] | None = None) -> None:
    """Run the emulator."""
    parser = arguments()
    options = parser.parse_args(argv)
    if problem := refused(options) or docker.refused(options) or guard.refused(options):
        parser.error(problem)
    logging.basicConfig(level=options.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("botocore").setLevel(logging.WARNING)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("httpcore2").setLevel(logging.WARNING)
    with contextlib.ExitStack() as stack:
        if options.data_dir is None:
            scratch = tempfile.TemporaryDirectory(prefix="samjhadoo-emulator-", ignore_cleanup_errors=True)
            options.data_dir = Path(stack.enter_context(scratch))
        try:
            asyncio.run(serve(options))
        except ConfigurationError as error:
            parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
