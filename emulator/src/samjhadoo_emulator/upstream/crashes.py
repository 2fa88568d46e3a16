"""What moto cannot answer: its crashes become AWS's refusal of a malformed request, or one that names moto.

moto checks little of what it is sent. Where it fails, the request is held against AWS's model first: most of
what makes it fail is what AWS refuses.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from samjhadoo_emulator import identify, wire
from samjhadoo_emulator.error_responses import error_response
from samjhadoo_emulator.errors import AwsError, not_implemented

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

LARGEST = 1 << 20
"""Bytes of a body that are kept for the case of a crash."""
_CHECKED = ("json", "query", "ec2")
"""Protocols whose parameters are all in the body."""
_EXTRAS = {"docker": "docker"}
"""Modules that moto imports when it needs them, and the extra of this distribution that installs each."""


def answering(moto: ASGIApp, has: Callable[[str], bool]) -> ASGIApp:
    """Return moto's application, which answers every request.

    Args:
        moto: Its server, which raises what goes wrong.
        has: Whether moto has a service.
    """

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        call = _Call(receive, send)
        try:
            await moto(scope, call.receive, call.send)
        except Exception as error:
            if call.begun:
                raise
            why: Exception | None = error
        else:
            if not call.failed:
                return
            why = None
        headers, query = Headers(scope=scope), scope["query_string"].decode("latin-1")
        answer = refusal(headers, query=query, path=scope["path"], body=bytes(call.body), error=why, has=has)
        await error_response(scope, answer)(scope, receive, send)

    return serve


class _Call:
    """One request to moto: keeps its body, and holds an answer back that is an internal error.

    Attributes:
        body: The beginning of the request's body.
        begun: Whether an answer was begun.
        failed: Whether the answer is an internal error; nothing of it was sent.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self.body = bytearray()
        self.begun = self.failed = False
        self._receive = receive
        self._send = send

    async def receive(self) -> Message:
        message = await self._receive()
        self.body += message.get("body", b"")[: LARGEST - len(self.body)]
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.failed = message["status"] == HTTPStatus.INTERNAL_SERVER_ERROR
        if not self.failed:
            self.begun = True
            await self._send(message)


def refusal(
    headers: Headers,
    *,
    query: str,
    path: str,
    body: bytes,
    error: Exception | None,
    has: Callable[[str], bool],
) -> AwsError:
    """Return what to answer a request with that moto failed at.

    Args:
        error: What moto raised; None if it answered with an internal error.
        has: Whether moto has a service.
    """
    log.debug("moto failed", exc_info=error)
    if isinstance(error, NotImplementedError):
        return not_implemented(f"moto: {error}")
    if isinstance(error, ModuleNotFoundError):
        return _needs(error.name or "")
    service = identify.service_of(headers, query=query, path=path)
    if service and not has(service):
        return not_implemented(f"Neither the emulator nor moto has the service {service}.")
    plain = wire.plain(headers, body)
    operation = identify.identify(headers, query=query, body=plain, path=path).operation
    if wire.has_operation(service, operation) and wire.service_model(service).protocol in _CHECKED:
        try:
            wire.parse(
                service,
                operation,
                method="POST",  # the protocols that are checked have no other
                path=path,
                headers=headers,
                body=plain or query.encode("latin-1"),
            )
        except AwsError as wrong:
            return wrong
    elif operation and wire.has_service(service) and "x-amz-target" in headers:
        return wire.unknown_operation(service, operation, "json")
    why = f": {type(error).__name__}: {error}" if error else ""
    return not_implemented(f"moto cannot answer {operation or path} of {service or 'S3'}{why}"[:1000])


def _needs(module: str) -> AwsError:
    """Return the refusal of a request that moto can answer only with a package that is not installed."""
    extra = _EXTRAS.get(module)
    package = f"samjhadoo-emulator[{extra}]" if extra else module
    return not_implemented(f"moto needs {module} for this: pip install '{package}'")
