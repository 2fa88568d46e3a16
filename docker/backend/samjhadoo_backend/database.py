"""PostgreSQL: a few connections kept open, replaced when the database was restarted."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from psycopg import AsyncConnection, OperationalError  # noqa: TID253 - this program cannot start without it
from psycopg.rows import dict_row  # noqa: TID253

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Connection = AsyncConnection[dict[str, Any]]

Result = TypeVar("Result")


class Pool:
    """Runs work on a connection of its own.

    Args:
        parameters: Connection parameters as psycopg names them.
        size: Connections at most.
        statement_timeout: Seconds after which the server gives a statement up.
    """

    def __init__(
        self, parameters: Mapping[str, Any], *, size: int = 5, statement_timeout: float = 3.0
    ) -> None:
        self._parameters = dict(parameters)
        self._options = f"-c statement_timeout={int(statement_timeout * 1000)}"
        self._slots = asyncio.Semaphore(size)
        self._idle: list[Connection] = []

    async def run(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Return what `work` makes of a connection (in autocommit mode).

        Work that fails because a kept connection was lost is done once more on a new one: it must be
        such that doing it twice does no harm.

        Raises:
            psycopg.Error: The database is not there, or refused.
        """
        async with self._slots:
            if self._idle:
                connection = self._idle.pop()
                try:
                    return await self._use(connection, work)
                except OperationalError:
                    if not connection.broken:
                        raise
                    # The others were lost with it.
                    await self.close()
            return await self._use(await self._connect(), work)

    async def _use(self, connection: Connection, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        try:
            result = await work(connection)
        except BaseException:
            # After an error or a time-out nobody knows what state it is in; a new one is cheap.
            await connection.close()
            raise
        self._idle.append(connection)
        return result

    async def _connect(self) -> Connection:
        return await AsyncConnection.connect(
            **self._parameters,
            autocommit=True,
            row_factory=dict_row,
            connect_timeout=2,
            application_name="samjhadoo-backend",
            options=self._options,
        )

    async def close(self) -> None:
        """Close the connections that are idle."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()
