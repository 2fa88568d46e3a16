"""Reaches applications that ignore the port they are given and bind the one of their task definition.

Such an application works, at a price: it binds its fixed port on the host, so that only one such task can run
at a time. The load balancer goes on using the given port, from which connections are passed on.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

from samjhadoo_emulator.processes import LOOPBACK

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.runtime.child import Child

log = logging.getLogger(__name__)

FIRST_LOOK, LAST_LOOK, GROWTH = 0.2, 2.0, 1.5
GIVE_UP_AFTER = 180.0
CHUNK = 1 << 16


async def pass_on(child: Child, *, given: int, fixed: int) -> None:
    """Watch which port a starting application binds; pass connections on if it is the wrong one.

    Ends when the application has bound the given port, or has ended, or after three minutes.
    """
    loop = asyncio.get_running_loop()
    started, pause = loop.time(), FIRST_LOOK
    while child.running and loop.time() - started < GIVE_UP_AFTER:
        await asyncio.sleep(pause)
        pause = min(pause * GROWTH, LAST_LOOK)
        bound = await asyncio.to_thread(listening, child)
        if given in bound:
            return
        if fixed in bound:
            log.warning("%s ignores PORT and binds %d: only one such task can run", child.runtime_id, fixed)
            await _forward(child, given, fixed)
            return


def listening(child: Child) -> set[int]:
    """Return the ports a container's processes listen on. Blocking."""
    found: set[int] = set()
    for process in child.processes():
        with suppress(psutil.Error):
            connections = process.net_connections(kind="tcp")
            found.update(each.laddr.port for each in connections if each.status == psutil.CONN_LISTEN)
    return found


async def _forward(child: Child, given: int, fixed: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there_reader, there_writer = await asyncio.open_connection(LOOPBACK, fixed)
        except OSError:
            writer.transport.abort()
            return
        try:
            await asyncio.gather(_pump(reader, there_writer), _pump(there_reader, writer))
        finally:
            writer.close()
            there_writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, given)
    try:
        await child.wait()
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
