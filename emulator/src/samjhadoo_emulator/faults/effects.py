"""What faults do to a call, over HTTP (`disturb`) or from inside the emulator (`disturb_call`)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.error_responses import error_response
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.faults.kinds import (
    Disturbance,
    Latency,
    LostResponse,
    Refusal,
    Throttle,
    UnknownValue,
)
from samjhadoo_emulator.identify import is_own, service_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from starlette.types import Message, Receive, Send

    from samjhadoo_emulator.exchange import Exchange, Proceed
    from samjhadoo_emulator.faults.table import FaultTable

LOST = AwsError("InternalFailure", "The response was lost.", status=500)


def striking(faults: FaultTable, exchange: Exchange) -> list[Disturbance]:
    """Return the faults that strike a request; those of clients never strike the emulator's own calls."""
    headers = exchange.headers
    if is_own(headers):
        return []
    service = exchange.address.service or service_of(
        headers, query=exchange.query, path=exchange.scope["path"]
    )
    return faults.strike(service, exchange.address.operation)


async def disturb(exchange: Exchange, faults: list[Disturbance], proceed: Proceed) -> None:
    """Answer an exchange that faults strike."""
    refusals = [fault for fault in faults if isinstance(fault, Throttle | Refusal)]
    losses = [fault for fault in faults if isinstance(fault, LostResponse)]
    alterations = [fault for fault in faults if isinstance(fault, UnknownValue)]
    await _wait(faults)
    if refusals:
        first = refusals[0]
        await _refuse(exchange, AwsError(first.code, first.message, status=first.status))
    elif losses:
        await proceed(replace(exchange, send=_nowhere))
        if losses[0].close:
            await _hang_up(exchange.receive, exchange.send)
        else:
            await _refuse(exchange, AwsError(LOST.code, LOST.message, status=losses[0].status))
    elif alterations:
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await proceed(replace(exchange, send=keep))
        for message in _altered(messages, alterations):
            await exchange.send(message)
    else:
        await proceed(exchange)


async def _refuse(exchange: Exchange, error: AwsError) -> None:
    response = error_response(exchange.scope, error, exchange.address)
    await response(exchange.scope, exchange.receive, exchange.send)


async def disturb_call(
    faults: Iterable[Disturbance], call: Callable[[], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Perform a call of a live service that faults strike.

    Raises:
        AwsError: The call was refused, or its response was lost.
    """
    faults = list(faults)
    await _wait(faults)
    for fault in faults:
        if isinstance(fault, Throttle | Refusal):
            raise AwsError(fault.code, fault.message, status=fault.status)
    result = await call()
    if any(isinstance(fault, LostResponse) for fault in faults):
        raise LOST
    for fault in faults:
        if isinstance(fault, UnknownValue):
            result = replaced(result, fault.member, fault.value)
    return result


async def _wait(faults: Iterable[Disturbance]) -> None:
    await asyncio.sleep(sum(fault.seconds for fault in faults if isinstance(fault, Latency)))


async def _nowhere(_: Message) -> None:
    """Lose a message."""


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection without an answer. ASGI has no message for that, so it is uvicorn's transport."""
    send.__self__.transport.abort()  # type: ignore[attr-defined]
    while (await receive())["type"] != "http.disconnect":
        pass


def _altered(messages: list[Message], faults: list[UnknownValue]) -> list[Message]:
    """Return an answer with unknown values, if it is JSON; else as it is."""
    body = b"".join(message.get("body", b"") for message in messages[1:])
    try:
        document = json.loads(body)
    except ValueError:
        return messages
    for fault in faults:
        document = replaced(document, fault.member, fault.value)
    body = json.dumps(document).encode()
    headers = [(name, value) for name, value in messages[0]["headers"] if name.lower() != b"content-length"]
    start = {**messages[0], "headers": [*headers, (b"content-length", str(len(body)).encode())]}
    return [start, {"type": "http.response.body", "body": body}]


def replaced(document: Any, member: str, value: str) -> Any:
    """Return a document in which every member of a name has another value."""
    if isinstance(document, dict):
        return {
            name: value if name == member else replaced(each, member, value)
            for name, each in document.items()
        }
    if isinstance(document, list):
        return [replaced(each, member, value) for each in document]
    return document
