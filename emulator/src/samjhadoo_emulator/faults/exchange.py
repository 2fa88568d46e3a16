"""What a struck call looks like to whoever made it: over HTTP, or from inside the emulator."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from samjhadoo_emulator import wire
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.faults.kinds import (
    Disturbance,
    Latency,
    LostResponse,
    Refusal,
    Throttle,
    UnknownValue,
)
from samjhadoo_emulator.identify import signing_scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from samjhadoo_emulator.faults.table import FaultTable
    from samjhadoo_emulator.identify import Address

OWN_KEY = "Credential=emulator/"
"""How the calls of the emulator's own services are signed."""
SIGNING_NAMES = {"elasticloadbalancing": "elb", "monitoring": "cloudwatch", "email": "ses"}
"""Services that sign under another name than botocore's."""
LOST = AwsError("InternalFailure", "The response was lost.", status=500)


def striking(faults: FaultTable, address: Address, headers: Mapping[str, str]) -> list[Disturbance]:
    """Return the faults that strike a request; those of clients never strike the emulator's own calls."""
    if OWN_KEY in headers.get("authorization", ""):
        return []
    return faults.strike(_service(address, headers), address.operation)


def disturbed(
    application: ASGIApp, faults: list[Disturbance], address: Address, headers: Mapping[str, str]
) -> ASGIApp:
    """Return an application as it serves an exchange that faults strike."""
    refusals = [fault for fault in faults if isinstance(fault, Throttle | Refusal)]
    losses = [fault for fault in faults if isinstance(fault, LostResponse)]
    alterations = [fault for fault in faults if isinstance(fault, UnknownValue)]

    def error(error: AwsError) -> Response:
        return _error(_service(address, headers), address, error)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await _wait(faults)
        if refusals:
            first = refusals[0]
            refusal = error(AwsError(first.code, first.message, status=first.status))
            await refusal(scope, receive, send)
        elif losses:
            await application(scope, receive, _nowhere)
            if losses[0].close:
                await _hang_up(receive, send)
            else:
                lost = error(AwsError(LOST.code, LOST.message, status=losses[0].status))
                await lost(scope, receive, send)
        elif alterations:
            messages: list[Message] = []

            async def keep(message: Message) -> None:
                messages.append(message)

            await application(scope, receive, keep)
            for message in _altered(messages, alterations):
                await send(message)
        else:
            await application(scope, receive, send)

    return serve


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


def _service(address: Address, headers: Mapping[str, str]) -> str:
    """Return botocore's name of the service that a request is for, as far as it can be told."""
    signed = signing_scope(headers)[1]
    return address.service or SIGNING_NAMES.get(signed, signed)


def _error(service: str, address: Address, error: AwsError) -> Response:
    """Return an error in the service's protocol; where the operation cannot be told (REST), in S3's XML
    or in JSON.
    """
    if service and address.operation and wire.has_operation(service, address.operation):
        protocol = address.protocol if address.service else ""
        status, headers, content = wire.serialise(service, address.operation, error, protocol=protocol)
        return Response(content, status_code=max(status, error.status), headers=headers)
    if service == "s3":
        body = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
        return Response(body, status_code=error.status, media_type="application/xml")
    body = json.dumps({"__type": error.code, "message": error.message})
    return Response(
        body,
        status_code=error.status,
        media_type="application/x-amz-json-1.1",
        headers={"x-amzn-errortype": error.code},
    )


async def _nowhere(_: Message) -> None:
    """Lose a message."""


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection without a word. ASGI has no message for that, so it is uvicorn's transport."""
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
