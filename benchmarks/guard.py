"""What the edge's guard costs a request, the look-up of the peer included. Target: <= 20 µs."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.__main__ import arguments
from samjhadoo_emulator.exchange import Exchange
from samjhadoo_emulator.guard.command_line import create_guard
from samjhadoo_emulator.guard.keys import Keys

if TYPE_CHECKING:
    from samjhadoo_emulator.guard.handler import Guard

REQUESTS, ROUNDS = 5000, 5
TARGET = 20.0
HEADERS = {
    "host": "127.0.0.1:4566",
    "accept-encoding": "identity",
    "x-amz-target": "AmazonEC2ContainerServiceV20141113.ListClusters",
    "content-type": "application/x-amz-json-1.1",
    "user-agent": "Boto3/1.43 md/Botocore#1.43 os/linux lang/python#3.11 md/pyimpl#CPython",
    "x-amz-date": "20261130T000000Z",
    "authorization": "AWS4-HMAC-SHA256 Credential=test/20261130/ap-south-1/ecs/aws4_request, Signature=0",
    "amz-sdk-invocation-id": "5974063f-ac85-42a5-9428-f2113193d180",
    "content-length": "2",
}


async def microseconds(guard: Guard, client: Any, server: Any) -> float:
    """Return how long the guard takes for a request of a signed client."""

    async def nothing(*_: Any) -> Any:
        """Take a message, or an exchange."""

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in HEADERS.items()],
        "client": client,
        "server": server,
    }
    began = time.perf_counter()
    for _ in range(REQUESTS):
        exchange = Exchange(scope, nothing, nothing)
        await guard.handle(exchange, nothing)
        await exchange.send({"type": "http.response.start", "status": 200, "headers": scope["headers"]})
    return (time.perf_counter() - began) / REQUESTS * 1e6


def main() -> None:
    """Measure and print."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        closing(create_guard(arguments().parse_args([]), Keys(), lambda: None)) as guard,  # type: ignore[arg-type, return-value]
    ):
        ends = (client.getsockname(), listener.getsockname())
        took = min(asyncio.run(microseconds(guard, *ends)) for _ in range(ROUNDS))
    print(f"guard: {took:.1f} µs a request (target <= {TARGET:.0f} µs)")


if __name__ == "__main__":
    main()
