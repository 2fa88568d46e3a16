"""One request at the edge, and the chain of handlers that it goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from samjhadoo_emulator.errors import BodyTooLargeError
from samjhadoo_emulator.identify import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Receive, Scope, Send


MOST_READ = 32 << 20
"""Bytes of a body that is read whole; ECR's parts of a layer, in JSON, are the longest of those: 27 MiB."""
PATIENCE = 2.0
"""Real seconds that a client gets to finish sending a body that is too large."""


@dataclass
class Exchange:
    """A request, and the way back to the client.

    Attributes:
        address: The service and operation, once they have been identified.
        body: What has been read of the body: the whole of it, or nothing.
        is_read: Whether it has been read.
    """

    scope: Scope
    receive: Receive
    send: Send
    address: Address = field(default_factory=Address)
    body: bytes = b""
    is_read: bool = False

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)

    @property
    def query(self) -> str:
        return str(self.scope["query_string"].decode("latin-1"))

    async def read(self, most: int = MOST_READ) -> None:
        """Read the whole body; handlers that stream it afterwards get it again from `replayed`.

        Raises:
            BodyTooLargeError: It has more bytes; nothing more of it is read.
        """
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > most:
            raise BodyTooLargeError(most)
        read = bytearray()
        async for chunk in Request(self.scope, self.receive).stream():
            read += chunk
            if len(read) > most:
                raise BodyTooLargeError(most)
        self.body, self.is_read = bytes(read), True

    async def drop_body(self) -> None:
        """Drop what the client is sending, so that it reads the answer; one that asks first sends nothing."""
        if "expect" in self.headers:
            return
        with suppress(ClientDisconnect, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                async for _ in Request(self.scope, self.receive).stream():
                    pass

    @property
    def replayed(self) -> Receive:
        """How an application receives the body, whether it has been read or not."""
        if not self.is_read:
            return self.receive
        sent = False

        async def again() -> Message:
            nonlocal sent
            if sent:
                return await self.receive()
            sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}

        return again


Proceed = Callable[[Exchange], Awaitable[None]]
"""Hands an exchange to the next handler."""


class Handler(Protocol):
    """Answers an exchange, or hands it to the next handler."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> None: ...


def chain(handlers: Iterable[Handler]) -> Proceed:
    """Return a function that takes an exchange through handlers; the last one of them has to answer it."""
    proceed: Proceed = _unanswered
    for handler in reversed(list(handlers)):
        proceed = partial(handler, proceed=proceed)
    return proceed


async def _unanswered(exchange: Exchange) -> None:
    raise AssertionError(f"no handler answered {exchange.scope['path']}")
