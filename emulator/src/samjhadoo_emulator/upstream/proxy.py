"""Passes a request to a URL and its answer back, both streaming.

httpcore2 carries it: the transport beneath httpx2, with asyncio, pooled connections and TLS, and nothing that
rewrites what it is given. Targets and headers go through it byte for byte, and it ignores proxy
variables. It needs h11 alone, which uvicorn brings.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpcore2

from samjhadoo_emulator.error_responses import error_response
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from starlette.types import Message, Receive, Scope, Send

    Headers = list[tuple[bytes, bytes]]
    from collections.abc import AsyncGenerator

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


HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
_ANSWERED = frozenset({b"expect"})
"""The edge asks for a body that waits for `100 Continue` itself, when the upstream is there to take it."""
_STAMPED = frozenset({b"date"})
"""The edge's own server stamps every answer."""
_WITHOUT_BODY = frozenset({204, 304})


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers that a proxy passes on; those that `Connection` names are not among them."""
    headers = list(headers)
    named = {
        option.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for option in value.split(b",")
    }
    dropped = HOP_BY_HOP | named
    return [(name, value) for name, value in headers if name.lower() not in dropped]


def has_body(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether a request brings a body (RFC 9112, section 6.3)."""
    named = {name.lower(): value for name, value in headers}
    return b"transfer-encoding" in named or named.get(b"content-length", b"0").strip() != b"0"


def for_upstream(headers: Iterable[tuple[bytes, bytes]], host: bytes) -> Headers:
    """Return a request's headers as the upstream gets them.

    Args:
        headers: As the client sent them (lower case).
        host: For a client that named none.
    """
    headers = list(headers)
    chunked = any(name == b"transfer-encoding" for name, _ in headers)
    passed = [(name, value) for name, value in end_to_end(headers) if name not in _ANSWERED]
    if chunked:
        passed = [(name, value) for name, value in passed if name != b"content-length"]
        passed.append((b"transfer-encoding", b"chunked"))
    if not any(name == b"host" for name, _ in passed):
        passed.insert(0, (b"host", host))
    return passed


def for_client(headers: Iterable[tuple[bytes, bytes]], status: int) -> Headers:
    """Return an answer's headers as the client gets them."""
    dropped = _STAMPED | ({b"content-length"} if status in _WITHOUT_BODY else set())
    return [(name, value) for name, value in end_to_end(headers) if name.lower() not in dropped]


log = logging.getLogger(__name__)

DRAINED = 1 << 20
"""Bytes of an unwanted body that are read, to keep the connection."""
CONNECT_TIMEOUT = 5.0
"""Seconds; there is no other limit, as clients wait for messages and follow streams."""
KEPT = 64
KEEP_ALIVE = 4.0
"""Seconds that an idle connection is kept: less than any server we know keeps one (uvicorn: 5)."""
_REPEATABLE = frozenset({b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"})
"""Methods that a proxy may send again by itself (RFC 9110, section 9.2.2)."""


class UrlRefused(ValueError):
    """The upstream's URL, or its CA's file, cannot be used."""


@dataclass(frozen=True)
class UpstreamAddress:
    """Where the upstream is."""

    scheme: bytes
    host: bytes
    port: int
    authority: bytes

    @classmethod
    def parse(cls, url: str) -> UpstreamAddress:
        """Read a URL."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UrlRefused(f"{url!r} is not a URL: {error}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UrlRefused(
                f"{url!r} is not the URL of an upstream: expected http://HOST:PORT or https://HOST:PORT"
            )
        if parts.username is not None or parts.password is not None:
            raise UrlRefused("the upstream's URL contains credentials; pass them in environment variables")
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise UrlRefused(f"{url!r} has a path, query or fragment: AWS requests bring their own")
        port = port or (443 if parts.scheme == "https" else 80)
        return cls(parts.scheme.encode(), parts.hostname.encode("idna"), port, parts.netloc.encode())


class Proxy:
    """An ASGI application that is the upstream at a URL.

    Args:
        url: `http://HOST:PORT` or `https://HOST:PORT`.
        ca: A bundle of CA certificates that verify the upstream's https; the system's by default.

    Raises:
        UrlRefused: The URL or the bundle cannot be used.
    """

    def __init__(self, url: str, *, ca: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self.target = UpstreamAddress.parse(url)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=verifying(ca) if self.target.scheme == b"https" else None,
            max_connections=None,
            max_keepalive_connections=KEPT,
            keepalive_expiry=KEEP_ALIVE,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; if one of the two sides leaves, the other one is disconnected."""
        body = Body(receive, present=has_body(scope["headers"]))
        exchange = asyncio.ensure_future(self._exchange(scope, body, send))
        leaving = asyncio.ensure_future(body.client_left())
        try:
            await asyncio.wait({exchange, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if exchange.done():
                exchange.result()
        finally:
            for task in (exchange, leaving):
                task.cancel()
            await asyncio.gather(exchange, leaving, return_exceptions=True)

    async def ask(self, method: str, path: str, *, within: float = 1.0) -> tuple[int, dict[str, str], bytes]:
        """Ask the upstream itself for a document; its status, headers (lower case) and body.

        Raises:
            OSError: It does not answer within some real seconds.
        """
        request = httpcore2.Request(
            method.encode(),
            self._url(path.encode()),
            headers=[
                (b"host", self.target.authority),
                (b"accept", b"application/json"),
                (b"x-emulator-control", b"1"),  # if it is an emulator like this one
            ],
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), within)},
        )
        try:
            response = await self._pool.handle_async_request(request)
            try:
                content = await response.aread()
            finally:
                await response.aclose()
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            raise OSError(_words(error)) from error
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in response.headers}
        return response.status, headers, content

    async def stop(self) -> None:
        """Close every connection."""
        await self._pool.aclose()

    def _url(self, path: bytes) -> httpcore2.URL:
        return httpcore2.URL(
            scheme=self.target.scheme, host=self.target.host, port=self.target.port, target=path
        )

    async def _exchange(self, scope: Scope, body: Body, answer: Send) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.complete:
                # What follows on this connection may be the rest of the body, or not.
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await answer(message)

        try:
            response = await self._answered(scope, body)
        except ClientLeft:
            return
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            log.warning("the upstream %s does not answer: %s", self.url, _words(error))
            message = f"The upstream {self.url} does not answer: {_words(error)}"
            await body.drain(DRAINED)
            await error_response(scope, AwsError("ServiceUnavailable", message, status=503))(
                scope, _nothing, send
            )
            return
        try:
            headers = for_client(response.headers, response.status)
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            async for chunk in response.stream:  # type: ignore[union-attr]
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError) as error:
            # Without its end the answer is broken for the client, too: the server closes the connection.
            log.warning("the upstream %s broke off a response: %s", self.url, _words(error))
        finally:
            await response.aclose()

    async def _answered(self, scope: Scope, body: Body) -> httpcore2.Response:
        """Return the upstream's answer as soon as its headers are there."""
        method = scope["method"].encode()
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope["query_string"]
        target = path + b"?" + query if query else path
        request = httpcore2.Request(
            method,
            self._url(target),
            headers=for_upstream(scope["headers"], self.target.authority),
            content=body if has_body(scope["headers"]) else None,
            extensions={"timeout": {"connect": CONNECT_TIMEOUT}},
        )
        try:
            return await self._pool.handle_async_request(request)
        except (httpcore2.ReadError, httpcore2.WriteError, httpcore2.RemoteProtocolError):
            # A kept connection that the upstream closed at this moment.
            if body.begun or method not in _REPEATABLE:
                raise
            return await self._pool.handle_async_request(request)


def verifying(ca: Path | None) -> ssl.SSLContext:
    """Return how https is verified.

    Raises:
        UrlRefused: The file holds no certificates.
    """
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise UrlRefused(f"{ca} is not a bundle of certificates: {error}") from error


def _words(error: Exception) -> str:
    """Return what went wrong: the innermost error that has a text."""
    text = str(error)
    cause = error.__cause__ or error.__context__
    while cause is not None:
        text = str(cause) or text
        cause = cause.__cause__ or cause.__context__
    return text or type(error).__name__


async def _nothing() -> dict[str, str]:
    """Receive nothing: an answer that is complete asks for nothing."""
    return {"type": "http.disconnect"}
