"""A process that answers every request on many ports, for tasks of the no-op runtime or bare targets."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST_PORT = 20000
"""Where the no-op runtime's tasks claim to listen, one port after another."""
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Answering(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(RESPONSE * data.count(b"\r\n\r\n"))


@contextlib.contextmanager
def backend(first_port: int, count: int) -> Iterator[None]:
    """Answer on so many ports from the first one on until the block ends."""
    argv = [sys.executable, __file__, str(first_port), str(count)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, preexec_fn=die_with_parent()) as process:  # noqa: PLW1509
        assert process.stdout is not None
        try:
            if not process.stdout.readline():
                raise RuntimeError("the backend does not serve")
            yield
        finally:
            process.terminate()


async def serve(first_port: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(Answering, "127.0.0.1", port)
        for port in range(first_port, first_port + count)
    ]
    print("serving", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
