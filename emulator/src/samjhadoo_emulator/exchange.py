"""One request at the edge, and the chain of handlers that it goes through."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from starlette.datastructures import Headers
from starlette.requests import Request

from samjhadoo_emulator.identify import Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Receive, Scope, Send


@dataclass
class Exchange:
    """A request, and the way back to the client.

    Attributes:
        address: The service and operation, once they have been identified.
        body: What has been read of the body: the whole of it, or nothing.
    """

    scope: Scope
    receive: Receive
    send: Send
    address: Address = field(default_factory=Address)
    body: bytes = b""

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)

    @property
    def query(self) -> str:
        return str(self.scope["query_string"].decode("latin-1"))

    async def read(self) -> None:
        """Read the whole body; handlers that stream it afterwards get it again from `replayed`."""
        self.body = await Request(self.scope, self.receive).body()

    @property
    def replayed(self) -> Receive:
        """How an application receives the body, whether it has been read or not."""
        if not self.body:
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
