"""A project of its own in a temporary folder, and a registry to push it to."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import shutil
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from samjhadoo_emulator.__main__ import arguments
from samjhadoo_emulator.ecr.distribution import distribution_application
from samjhadoo_emulator.ecr.service import Ecr
from samjhadoo_emulator.edge import Edge
from samjhadoo_emulator.guard.command_line import create_guard
from samjhadoo_emulator.service import Host
from samjhadoo_ops.aws import Aws
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import Environment, load_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
NAMES = itertools.count(1)
DOCKERFILE = """\
FROM python:3.12-slim
ARG GIT_SHA
ENV GIT_SHA=$GIT_SHA
WORKDIR /app
COPY app ./app
COPY run.sh /usr/local/bin/
CMD ["python", "-m", "app"]
"""


class NoUpstream:
    """An upstream that nothing is to reach."""

    send = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(f"{scope['path']} went upstream")

    async def stop(self) -> None:
        """Let go of nothing."""


@pytest.fixture(scope="session")
def edge_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    host = Host("000000000000", Clock(), tmp_path_factory.mktemp("registry"), url)
    edge = Edge(
        host,
        services={"ecr": Ecr},
        upstream=NoUpstream(),
        prefixes={"/v2": distribution_application(lambda: edge)},
        guard=create_guard(arguments().parse_args([]), host.keys, lambda: edge.aws("ap-south-1")),
        region="ap-south-1",
    )
    server = uvicorn.Server(uvicorn.Config(edge, log_level="critical", lifespan="off"))

    async def run() -> None:
        await server.serve(sockets=[listener])
        await edge.stop()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    yield url
    server.should_exit = True
    thread.join(20)


@dataclass
class Project:
    """A project: its folder, its context, git, and its environment with settings changed."""

    root: Path
    repository: str

    @property
    def context(self) -> Path:
        return self.root / "docker" / "backend"

    def env(self, **variables: str) -> Environment:
        settings = {"BUILD__REPOSITORY": self.repository, **variables}
        return load_environment(
            "local", root=self.root, variables={f"SAMJHADOO_{key}": value for key, value in settings.items()}
        )

    def git(self, *arguments: str) -> str:
        author = ("-c", "user.name=Test", "-c", "user.email=test@example.com")
        command = ["git", *author, *arguments]
        return subprocess.run(
            command, cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self) -> str:
        self.git("add", ".")
        self.git("commit", "-qm", "Change")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def folder_project(tmp_path: Path) -> Project:
    """A project that is not in git."""
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    context = tmp_path / "docker" / "backend"
    (context / "app").mkdir(parents=True)
    (context / "app" / "__main__.py").write_text("print('hello')\n")
    (context / "run.sh").write_text("#!/bin/sh\n")
    (context / "run.sh").chmod(0o700)
    (context / "Dockerfile").write_text(DOCKERFILE)
    (context / ".dockerignore").write_text("# not in the image\n**/__pycache__\n*.md\ndb\n")
    return Project(tmp_path, f"team/app-{next(NAMES)}")


@pytest.fixture
def project(folder_project: Project) -> Project:
    """A project with one commit."""
    (folder_project.root / ".gitignore").write_text(".samjhadoo/\n")
    folder_project.git("init", "-q")
    folder_project.commit()
    return folder_project


@pytest.fixture
def aws(edge_url: str) -> Callable[[Environment], Aws]:
    """Make the AWS of an environment, its repository created."""

    def make(env: Environment, mutability: str = "IMMUTABLE") -> Aws:
        aws = Aws(env, edge_url)
        aws.client("ecr").create_repository(
            repositoryName=env.build.repository, imageTagMutability=mutability
        )
        return aws

    return make


class Told(Console):
    """A console that remembers."""

    def __init__(self) -> None:
        self._err = io.StringIO()
        super().__init__("lines", out=io.StringIO(), err=self._err)

    @property
    def text(self) -> str:
        return self._err.getvalue()


@pytest.fixture
def console() -> Told:
    return Told()


@pytest.fixture
def fetch(edge_url: str) -> Callable[[str], Any]:
    """Return a document that the registry serves, below `/v2/`."""
    import urllib3

    http = urllib3.PoolManager()

    def get(path: str) -> Any:
        answer = http.request("GET", f"{edge_url}/v2/{path}")
        assert answer.status == 200, answer.data
        return json.loads(answer.data)

    return get
