"""A scripted HTTP server that keeps what reaches it byte for byte, and an emulator in front of it."""

from __future__ import annotations

import contextlib
import hashlib
import socketserver
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from samjhadoo_emulator.testing import running_emulator

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

    from samjhadoo_emulator.testing import Emulator

KEPT = 1 << 20


@dataclass
class Seen:
    """A request as it came."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    size: int = 0
    digest: str = ""
    connection: int = 0

    def header(self, name: str) -> str | None:
        return next((value for each, value in self.headers if each.lower() == name), None)


@dataclass
class Scripted:
    """Answers by script.

    Attributes:
        answers: What writes the answer to a path; others get `ok`.
        go_on: What scripts wait for.
        left: Set when a client of a script hung up.

    """

    url: str = ""
    seen: list[Seen] = field(default_factory=list)
    answers: dict[str, Callable[[socket.socket], None]] = field(default_factory=dict)
    go_on: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)

    def of(self, path: str) -> Seen:
        """Return the last request for a path."""
        return [each for each in self.seen if each.line.split(" ")[1].split("?")[0] == path][-1]


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(60)
        stream = self.request.makefile("rb", buffering=1 << 16)
        with stream, contextlib.suppress(ConnectionError, TimeoutError):
            while line := stream.readline():
                seen = Seen(line.decode("latin-1").strip(), [], connection=id(self))
                while (header := stream.readline()) not in (b"\r\n", b""):
                    name, _, value = header.decode("latin-1").partition(":")
                    seen.headers.append((name, value.strip()))
                self._read_body(seen, stream)
                script = self.server.script
                script.seen.append(seen)
                path = seen.line.split(" ")[1].split("?")[0]
                script.answers.get(path, ok)(self.request)

    def _read_body(self, seen: Seen, stream) -> None:
        digest = hashlib.sha256()

        def take(size: int) -> None:
            while size:
                piece = stream.read1(min(size, 1 << 16))
                if not piece:
                    raise ConnectionError
                size -= len(piece)
                seen.size += len(piece)
                digest.update(piece)
                if len(seen.body) < KEPT:
                    seen.body += piece

        if (seen.header("transfer-encoding") or "").lower() == "chunked":
            while size := int(stream.readline(), 16):
                take(size)
                stream.readline()
            stream.readline()
        else:
            take(int(seen.header("content-length") or 0))
        seen.digest = digest.hexdigest()


def ok(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    script: Scripted

    def shutdown_request(self, request) -> None:
        with contextlib.suppress(OSError):
            super().shutdown_request(request)


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.script = Scripted(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server.script
    server.script.go_on.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def edge(scripted, tmp_path_factory) -> Iterator[Emulator]:
    """An emulator whose upstream is the scripted server; the proxy that its variables name does not exist."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALL_PROXY", "http://127.0.0.1:9")  # one that urllib, here, does not read
        folder = tmp_path_factory.mktemp("upstream")
        with running_emulator("--upstream", scripted.url, runtime="noop", folder=folder) as emulator:
            yield emulator
