"""How Envoy is configured: it requests each resource over HTTP, and is answered when there is an update.

A request (Envoy's REST discovery) names the version that Envoy has. It is left unanswered while that is
the newest one, so the next request confirms that the last answer is in effect. Files would cost an inotify
instance for every target group, of which a user of Linux has 128.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from typing import TYPE_CHECKING, NamedTuple, cast

from samjhadoo_emulator.elbv2.data_plane.documents import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from samjhadoo_emulator.elbv2.data_plane.documents import Document

_VERSION = re.compile(rb'"version_info": ?"([^"]*)"')
_NAME = re.compile(rb'"resource_names": ?\[ ?"([^"]*)"')
FIRST_ANSWERS = 3
"""Times that a version is sent at once to an Envoy that reports no version: it does so after it has
created clusters again, but also after it has refused a version."""
REPEAT = 0.5
"""Real seconds after which it is sent once more."""


class Key(NamedTuple):
    """A resource that Envoy subscribes to: all clusters or listeners, or a name's routes or endpoints."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} of {self.name}" if self.name else self.kind


class Published(NamedTuple):
    """A resource's newest version, and the answer that carries it."""

    version: str
    documents: list[Document]
    answer: bytes


class Discovery:
    """Answers Envoy's requests; all methods belong to the event loop."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self._published: dict[Key, Published] = {}
        self._waiting: dict[Key, dict[_Connection, str]] = {}
        self._answered: dict[Key, tuple[str, str, int]] = {}
        self._taken: dict[Key, str] = {}
        self._refused: dict[Key, str] = {}
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def listen(self, path: Path) -> None:
        """Answer at a socket of the file system.

        Raises:
            OSError: It cannot be made.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(lambda: _Connection(self._ask, self._forget), str(path))

    def close(self) -> None:
        """Answer no longer."""
        if self._server:
            self._server.close()
        for connection in [each for waiting in self._waiting.values() for each in waiting]:
            connection.close()

    def publish(self, key: Key, resources: Iterable[Document]) -> str | None:
        """Publish a resource to Envoy; return the version that it has to take, if that is a new one."""
        documents, before = list(resources), self._published.get(key)
        if before and before.documents == documents:
            return None
        version = str(next(self._versions))
        self._published[key] = Published(version, documents, _response(encode(version, documents)))
        self._answered.pop(key, None)
        for connection, present in list(self._waiting.get(key, {}).items()):
            self._ask(connection, key, present)
        return version

    def remove(self, key: Key) -> None:
        """Publish a resource no more."""
        self._published.pop(key, None)

    def refuses(self, key: Key) -> bool:
        """Return whether Envoy has refused the newest version of a resource."""
        published = self._published.get(key)
        return published is not None and self._refused.get(key) == published.version

    async def settle(self, awaited: Mapping[Key, str], *, within: float) -> list[Key]:
        """Return once Envoy has taken or refused these versions; return those that it has not taken.

        Args:
            within: Real seconds to wait at most.
        """
        deadline = time.monotonic() + within
        missing = dict(awaited)
        while True:
            self._news.clear()
            missing = {key: version for key, version in missing.items() if self._taken.get(key) != version}
            left = deadline - time.monotonic()
            if left <= 0 or all(self._refused.get(key) == version for key, version in missing.items()):
                return list(missing)
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return list(missing)

    def _ask(self, connection: _Connection, key: Key, present: str) -> None:
        """Answer a request when there is a version that Envoy neither has nor has refused."""
        published = self._published.get(key)
        self._waiting.setdefault(key, {})[connection] = present
        if published is None:
            return
        if present == published.version:
            self._taken[key] = present
            self._answered.pop(key, None)
            self._refused.pop(key, None)
            self._news.set()
            return
        asked_with, given, times = self._answered.get(key, ("", "", 0))
        repeated = given == published.version and asked_with == present
        if repeated and (present or times >= FIRST_ANSWERS):
            self._refused[key] = given
            self._news.set()
            if not present:
                asyncio.get_running_loop().call_later(REPEAT, self._repeat, key)
            return
        self._answered[key] = (present, published.version, times + 1 if repeated else 1)
        del self._waiting[key][connection]
        connection.answer(published.answer)

    def _repeat(self, key: Key) -> None:
        self._answered.pop(key, None)
        for connection, present in list(self._waiting.get(key, {}).items()):
            self._ask(connection, key, present)

    def _forget(self, connection: _Connection, key: Key) -> None:
        self._waiting.get(key, {}).pop(connection, None)


class _Connection(asyncio.Protocol):
    """A connection from Envoy, on which each request follows the answer to the one before."""

    def __init__(
        self, ask: Callable[[_Connection, Key, str], None], forget: Callable[[_Connection, Key], None]
    ) -> None:
        self._ask = ask
        self._forget = forget
        self._received = b""
        self._asked = Key("")
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, body = self._received.partition(b"\r\n\r\n")
        if not complete or len(body) < _length(head):
            return
        self._received = b""
        kind = head.split(b" ", 2)[1].decode().rpartition(":")[2]
        # Not parsed as JSON: all but these two members describes Envoy, in a hundred kilobytes.
        name, version = _NAME.search(body), _VERSION.search(body)
        self._asked = Key(kind, name[1].decode() if name else "")
        self._ask(self, self._asked, version[1].decode() if version else "")

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._forget(self, self._asked)

    def answer(self, response: bytes) -> None:
        """Answer the request."""
        if self._transport:
            self._transport.write(response)

    def close(self) -> None:
        """End the connection."""
        if self._transport:
            self._transport.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _response(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
