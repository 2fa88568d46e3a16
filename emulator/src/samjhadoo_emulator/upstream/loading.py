"""The first requests of a LocalStack's services, one service after another.

LocalStack imports a service's code at its first request. Of two such imports at the same time one sometimes
fails with Python's "deadlock detected by _ModuleLock": LocalStack then keeps answering InternalError (500).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LONGEST = 10.0
"""Seconds that one service's first request holds up another's: it may be one that waits for messages."""
SERVER_ERROR = 500


class Loading:
    """Passes requests on; those for services that have not answered yet, one after another."""

    def __init__(self) -> None:
        self._loaded: set[str] = set()
        self._turn = asyncio.Lock()

    async def pass_on(
        self, application: ASGIApp, service: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Pass a request to an application. After an answer that is no failure, the service is loaded.

        Args:
            application: The upstream.
            service: The service that the request is for.
            scope: The request's.
            receive: The request's.
            send: The request's.

        """
        if service in self._loaded:
            await application(scope, receive, send)
            return
        holds = False
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                holds = await self._turn.acquire()

        def let_go() -> None:
            nonlocal holds
            if holds:
                holds = False
                self._turn.release()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < SERVER_ERROR:
                self._loaded.add(service)
            let_go()
            await send(message)

        try:
            if service in self._loaded:  # by the request before
                let_go()
            await application(scope, receive, answer)
        finally:
            let_go()
