"""The body of a client's request on its way to the upstream, and what happens when a client leaves."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive


PATIENCE = 1.0
"""Seconds that a client gets to finish sending an unwanted body."""


class ClientLeft(Exception):
    """The client hung up before it had sent all of its request."""


class Body:
    """A request's body, read as the upstream takes it.

    Attributes:
        begun: Whether some of it was asked for: from then on the request cannot be sent a second time.
        complete: Whether all of it was read: else the connection cannot be used for another request.

    """

    def __init__(self, receive: Receive, *, present: bool) -> None:
        self.begun = False
        self.complete = not present
        self._receive = receive
        self._ended = asyncio.Event()
        if not present:
            self._ended.set()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        self.begun = True
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                if message.get("body"):
                    yield message["body"]
                if not message.get("more_body", False):
                    self.complete = True
                    return
        finally:
            self._ended.set()

    async def drain(self, most: int) -> None:
        """Read what comes, up to a number of bytes: a client that is still sending would miss the answer."""
        if self.complete:
            return
        read = 0
        with suppress(ClientLeft, TimeoutError):
            async with asyncio.timeout(PATIENCE), aclosing(aiter(self)) as pieces:
                async for piece in pieces:
                    read += len(piece)
                    if read > most:
                        return

    async def client_left(self) -> None:
        """Return when the client hangs up after its request; what the upstream did not want is dropped."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
