"""Whether the service can do its work: each check really asks, each time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from samjhadoo_backend.cache import Redis
    from samjhadoo_backend.database import Connection, Pool

TIMEOUT = 2.0
"""Seconds for one check; the load balancer gives up after 5."""


async def check(pool: Pool, redis: Redis) -> dict[str, Any]:
    """Ask PostgreSQL and Redis side by side, and return the answers with the overall status."""

    async def select(connection: Connection) -> object:
        return await connection.execute("SELECT 1")

    database, cache = await asyncio.gather(_ask(pool.run(select)), _ask(redis.command("PING")))
    up = database["status"] == cache["status"] == "UP"
    return {"status": "UP" if up else "DOWN", "checks": {"database": database, "redis": cache}}


async def _ask(question: Awaitable[object]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(TIMEOUT):
            await question
    except TimeoutError:
        return {"status": "DOWN", "reason": f"no answer within {TIMEOUT:g} s"}
    except Exception as error:  # noqa: BLE001 - whatever it is, it is not up
        # The kind only: what a driver says may name hosts and users, and this page is public.
        return {"status": "DOWN", "reason": type(error).__name__}
    return {"status": "UP", "milliseconds": round((time.perf_counter() - started) * 1000, 1)}
