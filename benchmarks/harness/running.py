"""An emulator in a process of its own, asked by plain HTTP: what is measured is its work, not a client's."""

from __future__ import annotations

import contextlib
import http.client
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import psutil

from samjhadoo_ops.processes import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "ap-south-1"
ECS_TARGET = "AmazonEC2ContainerServiceV20141113"
MINUTE = 0.2
"""Real seconds in an emulated minute, as on the local stack."""

KEPT_ALIVE = 2.0
"""Seconds after which an unused connection is made anew, rather than found closed by the server."""


class Ecs:
    """A client of ECS on one connection, not to be shared by threads."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._used_at = 0.0

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Return an operation's answer; refusals are errors of the benchmark."""
        headers = {
            "X-Amz-Target": f"{ECS_TARGET}.{operation}",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=x/20260101/{REGION}/ecs/aws4_request, "
            "SignedHeaders=host, Signature=x",
        }
        if time.monotonic() - self._used_at > KEPT_ALIVE:
            self._connection.close()
        self._used_at = time.monotonic()
        self._connection.request("POST", "/", json.dumps(params), headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:  # noqa: PLR2004
            raise RuntimeError(f"{operation}: {body.decode()}")
        answer: dict[str, Any] = json.loads(body)
        return answer

    def prepare(self) -> None:
        """Make a cluster and a task definition, both called `bench`."""
        self.call("CreateCluster", clusterName="bench")
        self.call(
            "RegisterTaskDefinition",
            family="bench",
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "web", "image": "example/web:1", "portMappings": [{"containerPort": 8080}]}
            ],
        )


class Running:
    """A running emulator."""

    def __init__(self, port: int, process: psutil.Process) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.process = process

    def ecs(self) -> Ecs:
        """Return a new connection to ECS."""
        return Ecs(self.port)

    def client(self, service: str) -> Any:
        """Return a boto3 client."""
        import boto3

        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": REGION}
        return boto3.client(service, endpoint_url=self.url, **keys)

    def control(self, path: str) -> Any:
        """Return a document of the control endpoint."""
        with urllib.request.urlopen(f"{self.url}/_emulator/{path}", timeout=60) as answer:
            return json.load(answer)

    def cpu(self) -> float:
        """Return the CPU seconds that the emulator alone has used."""
        return float(sum(self.process.cpu_times()[:2]))

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        return float(self.process.memory_info().rss / 2**20)

    def envoy(self) -> psutil.Process:
        """Return its Envoy."""
        return next(child for child in self.process.children() if "envoy" in child.name())

    def share(self, seconds: float) -> float:
        """Return the percentage of a core that it takes while nobody asks it anything."""
        began, before = time.monotonic(), self.cpu()
        time.sleep(seconds)
        return 100 * (self.cpu() - before) / (time.monotonic() - began)


@contextlib.contextmanager
def emulator(*options: str, minute: float = MINUTE) -> Iterator[Running]:
    """Run an emulator until the block ends."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "samjhadoo_emulator", "--port", str(port), "--minute", str(minute)]
        argv += ["--data-dir", folder, "--log-level", "WARNING", *options]
        process = subprocess.Popen(argv, preexec_fn=die_with_parent())  # noqa: PLW1509
        running = Running(port, psutil.Process(process.pid))
        try:
            until(lambda: _answers(running), within=30, every=0.005)
            yield running
        finally:
            process.terminate()
            process.wait(60)


def until(check: Callable[[], Any], *, within: float = 600.0, every: float = 0.05) -> None:
    """Return once a check holds."""
    deadline = time.monotonic() + within
    while not check():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within:.0f} s")
        time.sleep(every)


def _answers(running: Running) -> bool:
    try:
        return bool(running.control("health"))
    except OSError:
        return False
