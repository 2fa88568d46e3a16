"""The body of a client's request on its way to the upstream, and what becomes of a client that leaves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive


class ClientLeft(Exception):
    """The client hung up before it had sent all of its request."""


class Body:
    """A request's body, read as the upstream takes it.

    Attributes:
        begun: Whether some of it was asked for: from then on the request cannot be sent a second time.

    """

    def __init__(self, receive: Receive, *, present: bool) -> None:
        self.begun = False
        self._receive = receive
        self._ended = asyncio.Event()
        if not present:
            self._ended.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        try:
            while True:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeft
                if message.get("body"):
                    yield message["body"]
                if not message.get("more_body", False):
                    return
        finally:
            self._ended.set()

    async def client_left(self) -> None:
        """Return when the client hangs up after its request; what the upstream did not want is dropped."""
        await self._ended.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
