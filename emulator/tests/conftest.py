"""A live emulator in a process of its own, and AWS clients that talk to it by HTTP only."""

from __future__ import annotations

import functools
import json
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from answer_shapes import faults, live_operations
from requirements import refuse_or_skip
from samjhadoo_emulator.docker_engine import connect
from samjhadoo_emulator.errors import ConfigurationError
from samjhadoo_emulator.testing import Emulator
from samjhadoo_emulator.testing import eventually as wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How fast examples are made and tried depends on what else the machine does.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """Return a client of the Docker engine; without one the test is skipped, in CI it fails."""
    try:
        client = connect()
    except ConfigurationError as error:
        refuse_or_skip(str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until a check gives something true, and return that; two minutes at most by default."""
    return functools.partial(wait_until, within=120.0)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "rule(*names): rules of AWS's that a test proves")


@dataclass
class CheckedEmulator(Emulator):
    """An emulator whose every answer to these clients is held against botocore's model.

    Attributes:
        answered: (service, operation) of the live operations that have succeeded.

    """

    answered: set[tuple[str, str]] = field(default_factory=set)

    def _make_client(self, service: str) -> Any:
        client = super()._make_client(service)
        client.meta.events.register("after-call", self._check)
        return client

    def _check(self, *, http_response: Any, model: Any, **_: Any) -> None:
        answered = (model.service_model.service_name, model.name)
        if http_response.status_code < 300 and answered in live_operations():
            assert faults(model, http_response.content) == []
            self.answered.add(answered)


@pytest.fixture(scope="session")
def shared_emulator(shared_emulator: Callable[..., Emulator]) -> Callable[..., CheckedEmulator]:
    """Return an emulator as after a fresh start, whose answers are checked."""
    checked: dict[str, CheckedEmulator] = {}

    def find(*options: str, **settings: Any) -> CheckedEmulator:
        found = shared_emulator(*options, **settings)
        if found.url not in checked:
            checked[found.url] = CheckedEmulator(
                found.url, found.region, found.process, found.log, key=found.key
            )
        return checked[found.url]

    return find


@pytest.fixture(scope="module")
def noop_emulator(shared_emulator: Callable[..., CheckedEmulator]) -> CheckedEmulator:
    """An emulator whose tasks are no processes: for the machinery above tasks."""
    return shared_emulator(minute=0.05, runtime="noop")


SERVER = b"""
import http.server, os, signal, sys, threading, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        failing = self.path == "/health" and os.environ.get("HEALTH") == "fail"
        body = os.environ.get("NAME", "?").encode()
        status = 200 if self.path == "/health" else int(os.environ.get("STATUS", 200))
        self.send_response(503 if failing else status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
if os.environ.get("CRASH"):
    print("about to crash", flush=True)
    sys.exit(int(os.environ["CRASH"]))
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
server = Server((os.environ["SERVER_ADDRESS"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""


@pytest.fixture(scope="module")
def emulator(shared_emulator: Callable[..., CheckedEmulator]) -> CheckedEmulator:
    """An emulator whose tasks are host processes."""
    return shared_emulator(minute=0.1)


@pytest.fixture(scope="session")
def push_server() -> Callable[[Any], str]:
    """Push an image to an emulator whose one layer is a tiny HTTP server; return its reference by digest."""
    return _push_server


@pytest.fixture(scope="module")
def server_image(emulator: CheckedEmulator) -> str:
    """The reference, by digest, of a pushed image whose one layer is a tiny HTTP server."""
    return _push_server(emulator)


def _push_server(emulator: Any) -> str:
    import gzip
    import hashlib
    import io
    import tarfile

    repository = emulator.client("ecr").create_repository(repositoryName="tiny/server")["repository"]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo("app/server.py")
        entry.size = len(SERVER)
        archive.addfile(entry, io.BytesIO(SERVER))
    layer = buffer.getvalue()
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["python3", "/app/server.py"], "WorkingDir": "/app"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        }
    ).encode()
    parts = []
    for media_type, blob in (
        ("application/vnd.oci.image.config.v1+json", config),
        ("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(layer, mtime=0)),
    ):
        digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
        _send(
            f"{emulator.url}/v2/tiny/server/blobs/uploads/?digest={digest}",
            "POST",
            blob,
            "application/octet-stream",
        )
        parts.append({"mediaType": media_type, "digest": digest, "size": len(blob)})
    kind = "application/vnd.oci.image.manifest.v1+json"
    manifest = {"schemaVersion": 2, "mediaType": kind, "config": parts[0], "layers": parts[1:]}
    body = json.dumps(manifest).encode()
    _send(f"{emulator.url}/v2/tiny/server/manifests/1", "PUT", body, kind)
    return f"{repository['repositoryUri']}@sha256:{hashlib.sha256(body).hexdigest()}"


def _send(url: str, method: str, body: bytes, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    with urllib.request.urlopen(
        urllib.request.Request(url, data=body, method=method, headers=headers), timeout=10
    ) as answer:
        assert answer.status == 201
