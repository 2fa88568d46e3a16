"""A health check of an unhealthy target: Envoy reports that one failed, not with which status."""

from __future__ import annotations

import asyncio
import contextlib

from samjhadoo_emulator.elbv2.health import Failure


async def probe(address: str, port: int, path: str, *, timeout: float) -> int | Failure:  # noqa: ASYNC109
    """Return the status that a target answers a health check with, or how it fails.

    Args:
        address: The target's address.
        port: Its health check port.
        path: Its health check path.
        timeout: Real seconds for all of it.

    """
    try:
        async with asyncio.timeout(timeout):
            return await _status(address, port, path)
    except TimeoutError:
        return Failure.TIMEOUT
    except (OSError, ValueError, IndexError, EOFError):
        return Failure.CONNECTION


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        headers = (f"Host: {address}:{port}", "User-Agent: ELB-HealthChecker/2.0", "Connection: close")
        writer.write("\r\n".join([f"GET {path} HTTP/1.1", *headers, "", ""]).encode())
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
