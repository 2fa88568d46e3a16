"""An emulator whose tasks are containers of the Docker engine, and an image for them."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

import pytest

from requirements import refuse_or_skip
from samjhadoo_emulator.testing import eventually, running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.testing import Emulator

LABEL = "samjhadoo-ops.emulator"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "ENABLED"}}
ROLE = "arn:aws:iam::000000000000:role/tasks"
SERVER = """
import http.server, os, signal, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        if self.path == "/crash":
            os._exit(9)
        body = os.environ.get("NAME", "?").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments): pass
server = http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ.get("LISTEN", 8080))), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening", flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="session")
def python_image(engine: Any) -> str:
    """An image with a whole Python, already in the engine or pulled."""
    from docker.errors import DockerException

    name = os.environ.get("SAMJHADOO_TEST_PYTHON_IMAGE", "samjhadoo/backend-base:1")
    for candidate in (name, "python:3.13-alpine"):
        try:
            engine.images.get(candidate)
        except DockerException:
            try:
                engine.images.pull(candidate)
            except DockerException:
                continue
        return candidate
    return refuse_or_skip(f"the engine has no {name} and can pull no python:3.13-alpine")


@pytest.fixture(scope="module")
def emulator(python_image: str) -> Iterator[Emulator]:
    with running_emulator("--pause-image", python_image, runtime="docker") as emulator:
        yield emulator


class Tasks:
    """Runs tasks whose containers are Python programs, and looks at them through AWS and the engine."""

    def __init__(self, emulator: Emulator, engine: Any, image: str) -> None:
        self.emulator, self.engine, self.image = emulator, engine, image
        self.ecs = emulator.client("ecs")
        self.ecs.create_cluster(clusterName="default")
        self._numbers = itertools.count()

    def container(self, program: str = SERVER, **definition: Any) -> dict[str, Any]:
        """Return a container definition that runs a Python program."""
        given: dict[str, Any] = {"name": "app", "image": self.image, "command": ["python3", "-c", program]}
        given["stopTimeout"] = 2  # most of the programs, being a container's first process, ignore SIGTERM
        return {**given, "logConfiguration": LOGS, **definition}

    def define(self, *containers: dict[str, Any], **task: Any) -> str:
        given = {"cpu": "256", "memory": "512", "taskRoleArn": ROLE, **task}
        return str(
            self.ecs.register_task_definition(
                family=f"docker{next(self._numbers)}",
                networkMode="awsvpc",
                requiresCompatibilities=["FARGATE"],
                executionRoleArn=ROLE,
                containerDefinitions=list(containers),
                **given,
            )["taskDefinition"]["taskDefinitionArn"]
        )

    def run(self, *containers: dict[str, Any], **task: Any) -> str:
        """Run a task; return its ARN."""
        return self.started(self.define(*containers, **task))[0]

    def started(self, definition: str, *, count: int = 1) -> list[str]:
        """Run tasks of a definition; return their ARNs."""
        found = self.ecs.run_task(
            taskDefinition=definition, count=count, launchType="FARGATE", networkConfiguration=NETWORK
        )
        return [task["taskArn"] for task in found["tasks"]]

    def describe(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ecs.describe_tasks(tasks=[task])["tasks"][0]
        return found

    def reached(self, task: str, status: str) -> dict[str, Any]:
        """Return a task that has come as far as a status."""

        def look() -> dict[str, Any] | None:
            found = self.describe(task)
            assert found["lastStatus"] == status or found["lastStatus"] != "STOPPED", found
            return found if found["lastStatus"] == status else None

        return eventually(look, within=60)

    def ended(self, *containers: dict[str, Any], **task: Any) -> dict[str, Any]:
        """Run a task to its end; return its description."""
        return self.reached(self.run(*containers, **task), "STOPPED")

    def containers(self, **labels: str) -> list[Any]:
        """Return the containers in the engine with ECS's labels."""
        wanted = [f"com.amazonaws.ecs.{name.replace('_', '-')}={value}" for name, value in labels.items()]
        filters = {"label": [LABEL, *wanted]}
        return list(self.engine.containers.list(all=True, filters=filters, ignore_removed=True))

    def lines(self, task: str, container: str = "app") -> list[str]:
        """Return what a container wrote to CloudWatch Logs."""
        from botocore.exceptions import ClientError

        stream = f"t/{container}/{task.rpartition('/')[2]}"
        try:
            found = self.emulator.client("logs").get_log_events(
                logGroupName="docker", logStreamName=stream, startFromHead=True
            )
        except ClientError:
            return []
        return [event["message"] for event in found["events"]]

    def printed(self, task: str, wanted: str, container: str = "app") -> str:
        """Return the first line that a container prints with a text in it."""
        return eventually(
            lambda: next((line for line in self.lines(task, container) if wanted in line), ""), within=60
        )


LOGS = {
    "logDriver": "awslogs",
    "options": {
        "awslogs-group": "docker",
        "awslogs-create-group": "true",
        "awslogs-region": "ap-south-1",
        "awslogs-stream-prefix": "t",
    },
}


@pytest.fixture
def tasks(emulator: Emulator, engine: Any, python_image: str) -> Tasks:
    return Tasks(emulator, engine, python_image)


@pytest.fixture(scope="session")
def tasks_of() -> type[Tasks]:
    return Tasks


@pytest.fixture(scope="session")
def server() -> str:
    """A program: an HTTP server on port 8080 (or LISTEN) that answers with NAME, and dies of `/crash`."""
    return SERVER
