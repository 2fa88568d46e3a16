"""A project of a user's own: a git repository with the tasks, the environments and the backend."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PARTS = ("tasks.py", "environments", "localstack", "docker", ".gitignore")
CLUSTER, SERVICE = "samjhadoo-cluster", "samjhadoo-service"
TIMEOUT = 240
KEPT = ("SAMJHADOO_CACHE", "SAMJHADOO_STACK")
"""Variables that the tests hand on: where things are cached, and which stack is meant."""
QUICK = {"SAMJHADOO_DEPLOYMENT__BAKE_TIME": "10m"}
"""A bake of two seconds; rehearsals have the whole one."""


@dataclass
class Outcome:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def result(self) -> dict[str, Any]:
        return self.events[-1]


@dataclass
class Project:
    """A project folder in which tasks are invoked as a user does."""

    folder: Path
    clients: dict[str, Any] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(KEPT) or not name.startswith(("AWS_", "SAMJHADOO_"))
        }
        return {**kept, **QUICK, **extra}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a task."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.folder,
            env=self.environment(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        return process

    def invoke(self, *arguments: str, **variables: str) -> Outcome:
        """Run a task to its end."""
        process = self.start(*arguments, **variables)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        return Outcome(process.returncode, stdout, stderr)

    def git(self, *arguments: str) -> str:
        """Run git in the project."""
        identity = ["-c", "user.name=Developer", "-c", "user.email=developer@example.com"]
        argv = ["git", *identity, *arguments]
        return subprocess.run(
            argv, cwd=self.folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, text: str) -> str:
        """Change the backend by a line of its Dockerfile; return the commit."""
        dockerfile = self.folder / "docker" / "backend" / "Dockerfile"
        lines = dockerfile.read_text().splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("USER"))
        dockerfile.write_text("\n".join([*lines[:at], text, *lines[at:]]) + "\n")
        return self.commit(text)

    def restore(self) -> None:
        """Take the last change back."""
        self.git("revert", "--no-edit", "HEAD")

    def has_stack(self) -> bool:
        """Tell whether its stack is up."""
        return any((self.folder / ".samjhadoo").rglob("stack.json"))

    def state(self) -> dict[str, Any]:
        """Return what the stack says of itself."""
        return json.loads(next((self.folder / ".samjhadoo").rglob("stack.json")).read_text())

    def latest_deployment(self) -> dict[str, Any]:
        """Return the service deployment that was started last."""
        ecs = self.client("ecs")
        listed = ecs.list_service_deployments(cluster=CLUSTER, service=SERVICE)["serviceDeployments"]
        arns = [listed[0]["serviceDeploymentArn"]]
        found: dict[str, Any] = ecs.describe_service_deployments(serviceDeploymentArns=arns)[
            "serviceDeployments"
        ][0]
        return found

    def share_of_the_target(self) -> float:
        """Return the percentage of production's traffic that a deployment in progress gives its target."""
        seen = self.latest_deployment()
        if seen["status"] != "IN_PROGRESS":
            return 0.0
        return float(seen["targetServiceRevision"].get("requestedProductionTrafficWeight", 0.0))

    def client(self, service: str) -> Any:
        """Return a plain boto3 client of the stack's edge."""
        if service not in self.clients:
            import boto3

            self.clients[service] = boto3.client(
                service,
                endpoint_url=self.state()["endpoints"]["aws"],
                region_name="ap-south-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self.clients[service]


@pytest.fixture(scope="module")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Make projects; their stacks end with the module's tests."""
    projects = []

    def make() -> Project:
        folder = tmp_path_factory.mktemp("project")
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / part)
        project = Project(folder)
        project.git("init", "--quiet")
        project.commit("Start")
        projects.append(project)
        return project

    yield make
    for project in projects:
        for process in project.started:
            if process.returncode is None:  # a test failed before it ended
                process.kill()
                process.communicate()
        project.invoke("stack.down")


@pytest.fixture(scope="module")
def project(make_project: Any) -> Project:
    """A project whose first release is deployed."""
    project = make_project()
    first = project.invoke("deploy", "--env", "local")
    assert first.code == 0, first.stderr
    return project


class Load:
    """GET requests at a steady rate while the block runs; each answer with its time and version."""

    def __init__(self, url: str, rate: float) -> None:
        self.url, self.rate = url, rate
        self.answers: list[tuple[float, str]] = []
        self.failures: list[Any] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(8)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        import urllib3

        http = urllib3.PoolManager()
        due = time.monotonic()
        while not self._stop.is_set():
            due += len(self._threads) / self.rate
            try:
                answer = http.request("GET", self.url, retries=False, timeout=30)
            except urllib3.exceptions.HTTPError as error:
                self.failures.append((time.monotonic(), repr(error)))
            else:
                if answer.status == 200:
                    self.answers.append((time.monotonic(), answer.headers["X-Version"]))
                else:
                    self.failures.append((time.monotonic(), answer.status))
            self._stop.wait(max(0.0, due - time.monotonic()))


@pytest.fixture(scope="session")
def load() -> type[Load]:
    return Load
