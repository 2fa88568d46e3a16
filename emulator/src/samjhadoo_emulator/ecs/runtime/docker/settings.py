"""The settings of the Docker runtime, from the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FORWARD = re.compile(r"(?P<port>\d{1,5})=(?P<host>[\w.-]+):(?P<target>\d{1,5})")
LAST_PORT = 65535


@dataclass(frozen=True)
class Forward:
    """A port of 127.0.0.1 inside tasks, and the host and port behind it on their network."""

    port: int
    host: str
    target: int


@dataclass(frozen=True)
class Settings:
    """How tasks run in the engine.

    Attributes:
        pause_image: An image with `python3`.
        edge_port: The port of 127.0.0.1 at which tasks reach the edge, as everybody else does.
        edge_socket: The Unix socket on which the edge listens too, for the tasks.
        owner: Names this emulator in the engine; the same after a restart on the same data folder.
        network: A network that exists; empty for one of the runtime's own.
        forwards: Further ports inside tasks.
    """

    pause_image: str
    edge_port: int
    edge_socket: Path
    owner: str
    network: str = ""
    forwards: tuple[Forward, ...] = ()


def parse_forward(text: str) -> Forward:
    """Return what `PORT=HOST:PORT` means.

    Raises:
        ValueError: It is something else.
    """
    match = _FORWARD.fullmatch(text)
    if match is None or not all(0 < int(match[name]) <= LAST_PORT for name in ("port", "target")):
        raise ValueError(f"{text!r} is not PORT=HOST:PORT")
    return Forward(int(match["port"]), match["host"], int(match["target"]))
