"""The lessons' pages, read through Redis from PostgreSQL."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hiredis

from samjhadoo_backend import log
from samjhadoo_backend.cache import Redis, RedisError

if TYPE_CHECKING:
    from samjhadoo_backend.database import Connection, Pool

LIFETIME = 60
"""Seconds that a page may be older than the database."""

_PAGE = "SELECT id, slug, title, summary, language, price_paise, purchases FROM lesson_overview WHERE id = %s"


@dataclass(frozen=True)
class Lessons:
    """Reads lessons."""

    pool: Pool
    redis: Redis

    async def page(self, lesson: int) -> tuple[bytes | None, bool]:
        """Return the lesson as JSON (None when there is no such lesson), and whether the cache had it."""
        cached = await self._cached("GET", _key(lesson))
        if cached is not None:
            return cached, True

        async def read(connection: Connection) -> dict[str, Any] | None:
            return await (await connection.execute(_PAGE, (lesson,))).fetchone()

        row = await self.pool.run(read)
        if row is None:
            return None, False
        page = json.dumps(row, ensure_ascii=False).encode()
        await self._cached("SET", _key(lesson), page, "EX", str(LIFETIME))
        return page, False

    async def forget(self, lesson: int) -> None:
        """Drop the lesson's page from the cache."""
        await self._cached("DEL", _key(lesson))

    async def _cached(self, *words: str | bytes) -> Any:
        """Ask the cache; without one the pages are slower, not gone."""
        try:
            return await self.redis.command(*words)
        except (RedisError, hiredis.ReplyError) as error:
            log.event("cache-failed", level="warning", command=words[0], reason=str(error))
            return None


def _key(lesson: int) -> str:
    # The version is that of the page's shape: during a canary two releases share the cache.
    return f"lesson:v1:{lesson}"
