"""The Docker runtime's part of the emulator's command line, and what it needs before the edge serves."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import socket
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.runtime.docker.settings import Forward, Settings, parse_forward
from samjhadoo_emulator.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LONGEST = 100
"""Bytes of a Unix socket's path that every kernel takes."""
BACKLOG = 1024


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("tasks as Docker containers (--runtime docker)")
    group.add_argument(
        "--network",
        default="",
        help="Docker network to put tasks on; by default one is created, and removed at the end",
    )
    group.add_argument(
        "--forward",
        action="append",
        default=[],
        type=_forward,
        metavar="PORT=HOST:PORT",
        help="forward a port of 127.0.0.1 inside tasks to a host of their network; may be repeated",
    )
    group.add_argument("--pause-image", default="", help="any image with python3; required")


def refused(options: argparse.Namespace) -> str:
    """Return why these options do not go together; empty if they do."""
    if options.runtime == "docker":
        if importlib.util.find_spec("docker") is None:
            return "--runtime docker needs Docker's client: pip install 'samjhadoo-emulator[docker]'"
        return "" if options.pause_image else "--runtime docker needs a --pause-image: any image with python3"
    given = [
        ("--network", options.network),
        ("--forward", options.forward),
        ("--pause-image", options.pause_image),
    ]
    return next((f"{name} is for --runtime docker" for name, value in given if value), "")


@asynccontextmanager
async def engine_for(options: argparse.Namespace) -> AsyncIterator[tuple[Any, list[socket.socket]]]:
    """Provide what the Docker runtime needs: resources in the engine, and more sockets for the edge.

    With another runtime that is None and no sockets.

    Args:
        options: The command line's; `port` is the edge's.

    Raises:
        ConfigurationError: There is no engine, network or image.
    """
    if options.runtime != "docker":
        yield None, []
        return
    from samjhadoo_emulator.ecs.runtime.docker.engine_resources import EngineResources

    folder = _made(options.data_dir)
    # Called after the stack, whose guard removes it if this process is killed.
    called = f"samjhadoo-{os.environ.get(MARKER, 'emulator')}-"
    with tempfile.TemporaryDirectory(prefix=called, ignore_cleanup_errors=True) as short:
        private = folder / "edge"  # whoever may enter it may use the edge: nobody but the owner
        private.mkdir(mode=0o700, exist_ok=True)
        private.chmod(0o700)
        path = private / "edge.sock"
        if len(os.fsencode(path)) > LONGEST:
            path = Path(short, "edge.sock")
        with _listening(path) as listener:
            resources = EngineResources(
                Settings(
                    pause_image=options.pause_image,
                    edge_port=options.port,
                    edge_socket=path,
                    owner=hashlib.sha256(os.fsencode(folder)).hexdigest()[:32],
                    network=options.network,
                    forwards=tuple(options.forward),
                )
            )
            try:
                yield resources, [listener]
            finally:
                await resources.close()
                path.unlink(missing_ok=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
        path.chmod(0o666)  # the forwarder is nobody; who cannot enter the folder still cannot connect
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _forward(text: str) -> Forward:
    try:
        return parse_forward(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
