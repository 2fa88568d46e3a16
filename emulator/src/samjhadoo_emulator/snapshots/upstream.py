"""What the upstream knows, kept by recording the requests that changed it, and replaying them at the start.

moto has no dump of its state. It has a recorder, but that records reads and refusals, too, writes no request
before its answer, and gives other ids when it is replayed. Here each recorded request draws its random
numbers from a seed of its own, and so does each backend that is made, so ids come back as they were.

The record only grows: what a request undid or overwrote cannot be told without knowing each service
(versions, streams, triggers), and each start replays all of it. Whoever keeps a snapshot for long begins a
new one now and then, by removing the file.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import random
import re
import secrets
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

READS = re.compile(
    r"(Describe|List|Get|BatchGet|BatchCheck|Head|Scan|Query|Search|Lookup|Select|Filter|Test)"
)
PASSING = frozenset(
    {
        "AssumeRole", "AssumeRoleWithWebIdentity", "Decrypt", "Encrypt", "GenerateDataKey", "Sign", "Verify",
        "PutLogEvents", "PutEvents", "Publish", "PublishBatch", "SendMessage", "SendMessageBatch",
        "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility",
        "StartExecution", "StartSyncExecution", "Invoke", "SubmitJob",
    }
)  # fmt: skip
"""Operations whose effect passes (messages, log events, invocations): to replay them would do harm."""
_INVOCATION = re.compile(r"/2015-03-31/functions/.+/invocations|/2014-11-13/functions/.+/invoke-async/?")
_REDIRECTION = 300

_stream: contextvars.ContextVar[random.Random | None] = contextvars.ContextVar("random stream", default=None)


class Recorded(msgspec.Struct, frozen=True, array_like=True):
    """A request that changed the upstream, and the seed of its random numbers."""

    seed: int
    operation: str
    method: str
    path: str
    raw_path: bytes
    query: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes


def reads(operation: str, method: str) -> bool:
    """Tell whether a request only reads: by its operation or, where that is not known, by its method."""
    return bool(READS.match(operation)) if operation else method in ("GET", "HEAD", "OPTIONS")


def passes(operation: str, path: str) -> bool:
    """Tell whether what a request does is not to be done again."""
    return operation in PASSING or bool(_INVOCATION.fullmatch(path))


def recording(application: ASGIApp, operation: str, keep: Callable[[Recorded], None]) -> ASGIApp:
    """Return the upstream's application for one request, which is given to `keep` if it succeeds."""

    async def perform(scope: Scope, receive: Receive, send: Send) -> None:
        request = Recorded(
            seed=secrets.randbits(63),
            operation=operation,
            method=scope["method"],
            path=scope["path"],
            raw_path=scope.get("raw_path") or scope["path"].encode(),
            query=scope["query_string"],
            headers=list(scope["headers"]),
            body=await Request(scope, receive).body(),
        )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < _REDIRECTION:
                keep(request)
            await send(message)

        with _drawing(request.seed):
            await application(scope, _giving(request.body, receive), sending)

    return perform


async def replay(application: ASGIApp, request: Recorded) -> int:
    """Have the upstream perform a recorded request; return the status of its answer."""
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": request.path,
        "raw_path": request.raw_path,
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 0),
    }
    status = 0

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]

    with _drawing(request.seed):
        await application(scope, _giving(request.body, receive), send)
    if status >= _REDIRECTION:
        log.warning("%s %s was answered with %d when replayed", request.method, request.path, status)
    return status


def draw_repeatably() -> None:
    """Have moto draw random numbers from a request's stream, and make each backend from one of its own."""
    from moto.core.base_backend import AccountSpecificBackend
    from moto.moto_api._internal import mock_random

    kind = type(mock_random)

    class Streams(kind):  # type: ignore[misc,valid-type]
        def random(self) -> float:
            stream = _stream.get()
            return stream.random() if stream else float(super().random())

        def getrandbits(self, count: int, /) -> int:
            stream = _stream.get()
            return stream.getrandbits(count) if stream else int(super().getrandbits(count))

    mock_random.__class__ = Streams
    get = AccountSpecificBackend.__getitem__

    def make(backends: Any, region: str) -> Any:
        if region in backends.keys():  # noqa: SIM118 - `in` would make the backend
            return get(backends, region)
        with _drawing(f"{backends.service_name}/{backends.account_id}/{region}"):
            return get(backends, region)

    AccountSpecificBackend.__getitem__ = make


@contextlib.contextmanager
def _drawing(seed: int | str) -> Iterator[None]:
    token = _stream.set(random.Random(seed))  # noqa: S311 - ids, not secrets
    try:
        yield
    finally:
        _stream.reset(token)


def _giving(body: bytes, after: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else await after()

    return receive
