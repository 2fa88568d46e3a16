"""What a container writes, line by line, standard output and standard error apart."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from docker.utils.socket import STDERR, STDOUT, SocketError, frames_iter

from samjhadoo_emulator.ecs.runtime.lines import Lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.ecs.runtime.docker.engine import Engine

log = logging.getLogger(__name__)

AHEAD = 64
"""Pieces of output (32 KiB at most each) that may wait for the event loop."""
WAIT_SECONDS = 1.0


class Output:
    """The output of one run of a container: attached before it starts, so that no line is lost.

    Args:
        put: Takes each line, on the event loop.
        terminal: Whether the container has a terminal, and so one stream only.
    """

    def __init__(self, put: Callable[[bytes], None], *, terminal: bool = False) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines = {STDOUT: Lines(put), STDERR: Lines(put)}
        self._terminal = terminal
        self._free = threading.Semaphore(AHEAD)
        self._closed = False
        self._socket: Any = None
        self.ended = asyncio.Event()

    async def attach(self, engine: Engine, container: str) -> None:
        """Begin to read."""
        wanted = {"stdout": 1, "stderr": 1, "stream": 1}
        self._socket = await engine.call(engine.api.attach_socket, container, params=wanted)
        threading.Thread(target=self._read, name=f"output {container[:12]}", daemon=True).start()

    async def drained(self, within: float) -> None:
        """Wait until all that the container wrote has been given on, then give the last line on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.ended.wait()
        self.close()
        for lines in self._lines.values():
            lines.end()

    def close(self) -> None:
        """Read no more."""
        self._closed = True
        if self._socket is not None:
            with suppress(Exception):  # what docker-py returns is of another class for each transport
                _shut(self._socket)

    def _read(self) -> None:
        try:
            for stream, data in frames_iter(self._socket, self._terminal):
                while not self._free.acquire(timeout=WAIT_SECONDS):
                    if self._closed:
                        return
                self._loop.call_soon_threadsafe(self._feed, stream, data)
        except (OSError, SocketError, ValueError, RuntimeError, TypeError) as error:
            log.debug("the output stopped: %s", error)
        finally:
            with suppress(Exception):
                self._socket.close()
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self.ended.set)

    def _feed(self, stream: int, data: bytes) -> None:
        self._free.release()
        self._lines.get(stream, self._lines[STDOUT]).feed(data)


def _shut(connection: Any) -> None:
    """Wake the reader of a connection; only the reader may close it."""
    getattr(connection, "_sock", connection).shutdown(socket.SHUT_RDWR)
