"""A copy of the project with a stack of its own, in which tasks are invoked as a user does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.testing import running_stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from samjhadoo_ops.testing import LocalStack

ROOT = Path(__file__).parents[1]
PARTS = ("tasks.py", "environments", "infrastructure", "localstack", "docker", ".gitignore")
CLUSTER, SERVICE = "samjhadoo-cluster", "samjhadoo-service"
TIMEOUT = 300
QUICK = {"SAMJHADOO_DEPLOYMENT__CANARY_TIME": "5m", "SAMJHADOO_DEPLOYMENT__BAKE_TIME": "5m"}
"""A canary and a bake of a second each; rehearsals have the whole ones."""


def canary(emulated: str) -> dict[str, str]:
    """Return the variables with which a canary lasts until another command has started."""
    return {"SAMJHADOO_DEPLOYMENT__CANARY_TIME": emulated}


@dataclass
class Outcome:
    """How a task ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stdout.splitlines() if line.startswith("{")]

    @property
    def result(self) -> dict[str, Any]:
        return self.events[-1]


class UserProject:
    """A project whose releases are its commits."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.folder = stack.project.folder
        self._started: list[subprocess.Popen[str]] = []
        self._changes = 0
        self._clients: dict[tuple[str, str], Any] = {}

    def variables(self, extra: Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of a task."""
        return {**self.stack.project.variables, **extra}

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a task, in a process group of its own."""
        process = subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments],
            cwd=self.folder,
            env=self.variables(variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def invoke(self, *arguments: str, **variables: str) -> Outcome:
        """Run a task to its end."""
        process = self.start(*arguments, **variables)
        stdout, stderr = process.communicate(timeout=TIMEOUT)
        return Outcome(process.returncode, stdout, stderr)

    def close(self) -> None:
        """End the tasks that a failed test left."""
        for process in self._started:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()

    def git(self, *arguments: str) -> str:
        return git(self.folder, *arguments)

    def commit(self, message: str) -> str:
        """Commit everything; return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def change(self, text: str = "") -> str:
        """Change the backend by a line of its Dockerfile; return the commit."""
        self._changes += 1
        text = text or f"LABEL number={self._changes}"
        dockerfile = self.folder / "docker" / "backend" / "Dockerfile"
        lines = dockerfile.read_text().splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("USER"))
        dockerfile.write_text("\n".join([*lines[:at], text, *lines[at:]]) + "\n")
        return self.commit(text)

    def restore(self) -> None:
        """Take the last change back."""
        self.git("revert", "--no-edit", "HEAD")

    def has_stack(self) -> bool:
        """Return whether its stack is up."""
        return any((self.folder / ".samjhadoo").glob("*/stack.json"))

    def state(self) -> dict[str, Any]:
        """Return the stack's description of itself."""
        # Not rglob: a build under way removes its folders while they would be searched.
        return json.loads(next((self.folder / ".samjhadoo").glob("*/stack.json")).read_text())

    def client(self, service: str) -> Any:
        """Return a plain boto3 client of the stack that runs now."""
        import boto3

        key = (self.state()["endpoints"]["aws"], service)
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=key[0],
                region_name="ap-south-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
        return self._clients[key]

    def deployments(self) -> list[dict[str, Any]]:
        """Return the service deployments, the newest first."""
        listed = self.client("ecs").list_service_deployments(cluster=CLUSTER, service=SERVICE)
        return sorted(listed["serviceDeployments"], key=lambda brief: brief["createdAt"], reverse=True)

    def latest_deployment(self) -> dict[str, Any]:
        """Return the service deployment that was started last."""
        arns = [self.deployments()[0]["serviceDeploymentArn"]]
        described = self.client("ecs").describe_service_deployments(serviceDeploymentArns=arns)
        found: dict[str, Any] = described["serviceDeployments"][0]
        return found

    def share_of_the_target(self) -> float:
        """Return the percentage of production's traffic that a deployment in progress gives its target."""
        seen = self.latest_deployment()
        if seen["status"] != "IN_PROGRESS":
            return 0.0
        return float(seen["targetServiceRevision"].get("requestedProductionTrafficWeight", 0.0))


def git(folder: Path, *arguments: str) -> str:
    """Run git."""
    identity = ["-c", "user.name=Developer", "-c", "user.email=developer@example.com"]
    argv = ["git", *identity, *arguments]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def user_project(
    folder: Path,
    *,
    prepare: Callable[[Path], None] = lambda _: None,
    environment: str = "local",
    variables: Mapping[str, str] = QUICK,
) -> Iterator[UserProject]:
    """Run a stack for a copy of the project until the block ends.

    Args:
        folder: Takes the project as it comes, and the copy.
        prepare: Changes the project before its stack starts.
        environment: The environment with the stack.
        variables: Environment variables of its tasks.

    """
    template = folder / "template"
    template.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, template / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, template / part)
    prepare(template)
    options = {"environment": environment, "variables": variables, "folder": folder / "project"}
    with running_stack(template, **options) as stack:
        project = UserProject(stack)
        try:
            yield project
        finally:
            project.close()


def events_until(process: subprocess.Popen[str], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read a task's events up to one, and return that."""
    assert process.stdout is not None
    event: dict[str, Any] = {}
    for line in process.stdout:
        event = json.loads(line)
        if holds(event):
            return event
    raise AssertionError(f"the task ended before: {event}")
