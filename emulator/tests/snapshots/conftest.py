"""An emulator that is killed and started again, and a service behind a load balancer in it."""

from __future__ import annotations

import contextlib
import json
import random
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.processes import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

MINUTE = 0.05
PORTS = 60
"""As many as the tasks that a test starts between two restarts."""


class Restartable:
    """An emulator with a snapshot, on a port of its own."""

    def __init__(self, folder: Path, *options: str, minute: float = MINUTE) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.minute = minute
        self._options = ["--minute", str(minute), *options]
        self._clients: dict[str, Any] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts: list[float] = []

    def start(self) -> None:
        began = time.monotonic()
        argv = [sys.executable, "-m", "samjhadoo_emulator", "--port", str(self.port), "--snapshots"]
        with (self.folder / "emulator.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--data-dir", str(self.folder / "data"), *self._options],
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),  # noqa: PLW1509
            )
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/_emulator/health"):
                break
            assert self.process.poll() is None, (self.folder / "emulator.log").read_text()[-4000:]
            assert time.monotonic() < began + 60
            time.sleep(0.02)
        self.restarts.append(time.monotonic() - began)

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(20)

    def restart(self) -> None:
        self.kill()
        self.start()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            import boto3

            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.url,
                region_name="ap-south-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self._clients[service]

    def real_time(self, emulated: datetime) -> float:
        """Return the Unix time at which the emulated clock shows a time; it has not jumped."""
        with urllib.request.urlopen(f"{self.url}/_emulator/health") as answer:
            origin = json.load(answer)["clock"]["origin"]
        return float(origin + (emulated.timestamp() - origin) * self.minute / 60)

    @property
    def log(self) -> str:
        return (self.folder / "emulator.log").read_text()


class Listeners:
    """What answers the health checks of tasks that are no processes.

    Attributes:
        healthy: Whether any succeeds.
        failing: Paths of those that do not.

    """

    def __init__(self) -> None:
        self.healthy = True
        self.failing: set[str] = set()
        self._selector = selectors.DefaultSelector()
        listeners: list[socket.socket] = []
        while len(listeners) < PORTS:
            for listener in listeners:
                listener.close()
            listeners = []
            self.first_port = random.randrange(21000, 32000)
            with contextlib.suppress(OSError):
                for port in range(self.first_port, self.first_port + PORTS):
                    listeners.append(socket.create_server(("127.0.0.1", port), backlog=64))
        for listener in listeners:
            self._selector.register(listener, selectors.EVENT_READ, data=True)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            for key, _ in self._selector.select(0.1):
                if key.data:
                    connection = key.fileobj.accept()[0]
                    self._selector.register(connection, selectors.EVENT_READ, data=False)
                    continue
                with contextlib.suppress(OSError):
                    if request := key.fileobj.recv(65536):
                        healthy = self.healthy and request.split()[1].decode() not in self.failing
                        status = b"200 OK" if healthy else b"503 Service Unavailable"
                        key.fileobj.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
                        continue
                self._selector.unregister(key.fileobj)
                key.fileobj.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._selector.close()


@pytest.fixture
def listeners() -> Iterator[Listeners]:
    """Have the addresses of no-op tasks answer."""
    listeners = Listeners()
    yield listeners
    listeners.close()


@pytest.fixture
def restartable(tmp_path: Path, listeners: Listeners) -> Iterator[Restartable]:
    """An emulator with a snapshot, started; its tasks are no processes, but answer health checks."""
    emulator = Restartable(tmp_path, "--runtime", "noop", "--noop-port", str(listeners.first_port))
    emulator.start()
    yield emulator
    emulator.stop()


@pytest.fixture
def slow_restartable(tmp_path: Path, listeners: Listeners) -> Iterator[Restartable]:
    """The same with more time in a minute: a thousand of them last longer than a busy machine takes."""
    options = ["--runtime", "noop", "--noop-port", str(listeners.first_port)]
    emulator = Restartable(tmp_path, *options, minute=1.0)
    emulator.start()
    yield emulator
    emulator.stop()


@pytest.fixture
def process_restartable(tmp_path: Path) -> Iterator[Restartable]:
    """An emulator with a snapshot, started, whose tasks are processes."""
    emulator = Restartable(tmp_path, minute=0.2)
    emulator.start()
    yield emulator
    emulator.stop()
