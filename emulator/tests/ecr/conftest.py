"""The registry on an edge of its own, in a thread, and raw HTTP to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import urllib3
import uvicorn

from samjhadoo_emulator.__main__ import arguments
from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.control import PREFIX, control_application
from samjhadoo_emulator.ecr.distribution import distribution_application
from samjhadoo_emulator.ecr.service import Ecr
from samjhadoo_emulator.edge import Edge
from samjhadoo_emulator.guard.command_line import create_guard
from samjhadoo_emulator.service import Host

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = itertools.count(1)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class NoUpstream:
    """An upstream that nothing is to reach."""

    send = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(f"{scope['path']} went upstream")

    async def stop(self) -> None:
        """Let go of nothing."""


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve ECR and the registry until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    host = Host(account="000000000000", clock=Clock(), data_dir=folder, edge_url=url)
    edge = Edge(
        host,
        services={"ecr": Ecr},
        upstream=NoUpstream(),
        prefixes={
            "/v2": distribution_application(lambda: edge),
            PREFIX: control_application(lambda: edge),
        },
        guard=create_guard(arguments().parse_args([]), host.keys, lambda: edge.aws("ap-south-1")),
        region="ap-south-1",
    )
    server = uvicorn.Server(uvicorn.Config(edge, log_level="critical", lifespan="off"))

    async def run() -> None:
        await server.serve(sockets=[listener])
        await edge.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def edge_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("registry")) as url:
        yield url


@pytest.fixture(scope="session")
def ecr(edge_url: str) -> Any:
    return boto3.client(
        "ecr",
        endpoint_url=edge_url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def repository(ecr: Any) -> str:
    """A new repository with a name of several parts."""
    name = f"team/service-{next(NAMES)}"
    ecr.create_repository(repositoryName=name)
    return name


class Client:
    """Raw HTTP to a repository."""

    def __init__(self, url: str, repository: str) -> None:
        self.url = url
        self.repository = repository
        self._http = urllib3.PoolManager()

    def __call__(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        """Ask for a path of the repository, or an absolute address."""
        url = path if path.startswith("http") else f"{self.url}/v2/{self.repository}/{path}"
        wire = {key.replace("_", "-"): value for key, value in headers.items()}
        return self._http.request(method, url, body=body, headers=wire, redirect=False)

    def blob(self, content: bytes) -> str:
        """Push a blob in one request; return its digest."""
        digest = digest_of(content)
        answer = self("POST", f"blobs/uploads/?digest={digest}", content)
        assert answer.status == 201, answer.data
        return digest

    def manifest(self, reference: str, document: Any, media_type: str = MANIFEST) -> Any:
        """Push a manifest."""
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self("PUT", f"manifests/{reference}", content, Content_Type=media_type)

    def image(self, reference: str, *layers: bytes, **members: Any) -> str:
        """Push an image made of layers; return its digest."""
        config = json.dumps({"architecture": "amd64", "os": "linux"}).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(self.blob(config), config, "application/vnd.oci.image.config.v1+json"),
            "layers": [descriptor(self.blob(layer), layer) for layer in layers],
            **members,
        }
        answer = self.manifest(reference, document)
        assert answer.status == 201, answer.data
        return str(answer.headers["Docker-Content-Digest"])


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def descriptor(
    digest: str, content: bytes, media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip"
) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


@pytest.fixture
def registry(edge_url: str, repository: str) -> Client:
    return Client(edge_url, repository)


@pytest.fixture
def other(edge_url: str, ecr: Any) -> Client:
    """Another repository of the same registry."""
    name = f"another-{next(NAMES)}"
    ecr.create_repository(repositoryName=name)
    return Client(edge_url, name)
