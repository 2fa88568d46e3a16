"""The edge's connections: how many there may be, and how long a client may take to send a request.

A client that opens connections and sends nothing, or half a request, must not keep others out.
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = logging.getLogger(__name__)

HEAD_TIME = 10.0
"""Real seconds in which a new connection, or the first byte of a request, is followed by all its headers."""
BODY_TIME = 30.0
"""Real seconds that a client may be silent in the middle of a body; S3 closes such connections after 20."""
DESCRIPTORS = 65535
"""File descriptors that the emulator asks for; tasks inherit the limit, which is also Fargate's."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files as far as the hard one allows; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # macOS has a further limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


@dataclass
class Connections:
    """What all connections share.

    Args:
        most: How many there may be; the emulator needs the other descriptors itself.

    Attributes:
        waiting: Those that have sent no request or half of one, the oldest first.
    """

    most: int
    waiting: dict[Connection, None] = field(default_factory=dict)
    _logged: set[str] = field(default_factory=set)

    def protocol(self) -> Callable[..., Connection]:
        """Return what makes uvicorn's connections."""
        return partial(Connection, shared=self)

    def warn_once(self, text: str) -> None:
        """Log a text only the first time, so that an attacker cannot fill the log."""
        if text not in self._logged:
            self._logged.add(text)
            log.warning(text)

    def failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Handle an error of the event loop: that descriptors are exhausted is logged once."""
        if context.get("message") == "socket.accept() out of system resource":
            self.warn_once("no connection can be accepted: no file descriptor is free")
        else:
            loop.default_exception_handler(context)


class Connection(H11Protocol):
    """A client's connection, which ends when a request is not sent in time.

    Args:
        shared: What it shares with the others.
    """

    def __init__(self, *arguments: Any, shared: Connections, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._shared = shared
        self._heard = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; one connection too many costs the oldest that has sent none."""
        super().connection_made(transport)
        self._wait_for_head()
        if len(self.connections) > self._shared.most:
            oldest = next(iter(self._shared.waiting))
            oldest.end(f"more than {self._shared.most} connections: those without a request are closed")

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that the client has sent something."""
        self._heard = self.loop.time()
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE:  # a part of a request's head
            if self not in self._shared.waiting:
                self._wait_for_head()
            return
        if self in self._shared.waiting:
            self._stop_waiting()
        self._watch_body()

    def on_response_complete(self) -> None:
        """Go on with what the client has sent meanwhile: uvicorn reads the next request then."""
        super().on_response_complete()
        self._watch_body()

    def end(self, why: str) -> None:
        """Close the connection; the reason is logged once."""
        self._shared.warn_once(why)
        self._stop_waiting()
        self.transport.abort()

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self._shared.waiting[self] = None
        late = f"connections were closed that did not send a request's headers within {HEAD_TIME:g} s"
        self._timer = self.loop.call_later(HEAD_TIME, self.end, late)

    def _stop_waiting(self) -> None:
        self._shared.waiting.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch_body(self) -> None:
        if self.conn.their_state is h11.SEND_BODY and self._timer is None:
            self._timer = self.loop.call_later(BODY_TIME, self._check_body)

    def _check_body(self) -> None:
        """End the connection if the rest of a body is overdue, and it is the client who is slow."""
        self._timer = None
        if self.conn.their_state is not h11.SEND_BODY or self.transport.is_closing():
            return
        held = self.flow.read_paused or self.conn.they_are_waiting_for_100_continue
        left = BODY_TIME if held else self._heard + BODY_TIME - self.loop.time()
        if left > 0:
            self._timer = self.loop.call_later(left, self._check_body)
        else:
            self.end(f"connections were closed that were silent for {BODY_TIME:g} s in a request's body")
