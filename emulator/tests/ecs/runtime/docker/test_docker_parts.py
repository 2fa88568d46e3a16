"""The parts of the Docker runtime that need no engine."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.ecs.runtime import ImageConfig, Launch, PulledImage
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError
from samjhadoo_emulator.ecs.runtime.docker import forwarder
from samjhadoo_emulator.ecs.runtime.docker.engine import EngineError
from samjhadoo_emulator.ecs.runtime.docker.host_config import container_config, host_config
from samjhadoo_emulator.ecs.runtime.docker.images import canonical
from samjhadoo_emulator.ecs.runtime.docker.sandbox import Sandbox
from samjhadoo_emulator.ecs.runtime.docker.settings import Forward, Settings, parse_forward
from samjhadoo_emulator.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20


def launch(definition: dict[str, Any], **task: Any) -> Launch:
    image = PulledImage("x:1", "sha256:0", ImageConfig(), name="x:1")
    given: dict[str, Any] = {"definition": definition, "task_definition": task}
    return Launch(task_id="0" * 32, name="app", region="ap-south-1", image=image, **given)


@pytest.mark.parametrize(
    ("definition", "task", "memory", "reservation"),
    [
        pytest.param({}, {"memory": "512"}, 512, None, id="the-tasks"),
        pytest.param({"memory": 128}, {"memory": "512"}, 128, None, id="its-own"),
        pytest.param({"memory": 1024}, {"memory": "512"}, 512, None, id="never-more-than-the-tasks"),
        pytest.param({"memoryReservation": 100}, {}, None, 100, id="soft"),
        pytest.param({"memory": 200, "memoryReservation": 100}, {}, 200, 100, id="both"),
    ],
)
def test_memory_is_limited_by_container_and_task(
    definition: dict[str, Any], task: dict[str, Any], memory: int | None, reservation: int | None
) -> None:
    found = host_config(launch(definition, **task), cpus=4)
    assert found.get("Memory") == (memory * MIB if memory else None)
    assert found.get("MemorySwap") == found.get("Memory")
    assert found.get("MemoryReservation") == (reservation * MIB if reservation else None)


def test_cpu_units_are_shares_and_the_tasks_the_ceiling_unless_the_engine_has_less() -> None:
    small = host_config(launch({"cpu": 128}, cpu="512"), cpus=2)
    assert (small["CpuShares"], small["NanoCpus"]) == (128, 500_000_000)
    large = host_config(launch({}, cpu="4096"), cpus=2)
    assert large["CpuShares"] == 2
    assert "NanoCpus" not in large


def test_kernel_parameters_are_passed_on() -> None:
    linux = {
        "initProcessEnabled": True,
        "capabilities": {"add": ["SYS_PTRACE"], "drop": ["NET_RAW"]},
        "sharedMemorySize": 64,
        "tmpfs": [{"containerPath": "/run", "size": 16, "mountOptions": ["noexec"]}],
    }
    controls = [
        {"namespace": "net.core.somaxconn", "value": "1024"},
        {"namespace": "kernel.msgmax", "value": "8192"},
    ]
    found = host_config(launch({"linuxParameters": linux, "systemControls": controls}), cpus=2)
    assert found["Init"] is True
    assert (found["CapAdd"], found["CapDrop"]) == (["SYS_PTRACE"], ["NET_RAW"])
    assert found["ShmSize"] == 64 * MIB
    assert found["Tmpfs"] == {"/run": "size=16m,noexec"}
    assert found["Sysctls"] == {"kernel.msgmax": "8192"}  # the network's belong to the pause container


def test_ours_are_the_labels_that_count_and_the_images_health_check_does_not() -> None:
    config = container_config(
        launch({"dockerLabels": {"a": "theirs", "b": "theirs"}}), {"X": "1"}, {"a": "ours"}
    )
    assert config["Labels"] == {"a": "ours", "b": "theirs"}
    assert config["Env"] == ["X=1"]
    assert config["Healthcheck"] == {"Test": ["NONE"]}


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("grafana/grafana:11", "docker.io/grafana/grafana:11"),
        ("public.ecr.aws/docker/library/redis:7", "public.ecr.aws/docker/library/redis:7"),
        ("localhost:5000/a", "localhost:5000/a:latest"),
        ("a@sha256:0", "docker.io/library/a@sha256:0"),
    ],
)
def test_a_reference_is_written_in_full(text: str, full: str) -> None:
    assert canonical(text) == full


def test_forwards_are_read_strictly() -> None:
    assert parse_forward("5432=postgres:15432") == Forward(5432, "postgres", 15432)
    for text in ("5432", "5432=postgres", "0=a:1", "1=a:70000", "x=a:1"):
        with pytest.raises(ValueError, match="PORT=HOST:PORT"):
            parse_forward(text)


@contextlib.contextmanager
def forwarding(target: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """Run the forwarder, as pause containers do."""
    port = free_port()
    argv = [sys.executable, "-I", forwarder.__file__, f"{port}={target}"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield port, process
        finally:
            process.kill()


def test_the_forwarder_passes_large_bodies_both_ways_and_half_closed_ones(tmp_path: Path) -> None:
    body = bytes(range(256)) * 40_000

    def answer() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            connection.sendall(file.read()[::-1])

    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with forwarding(f"unix:{path}") as (port, _), socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(body)
            client.shutdown(socket.SHUT_WR)
            with client.makefile("rb") as file:
                assert file.read() == body[::-1]
        thread.join(20)


def test_the_forwarder_ends_a_connection_that_leads_nowhere_and_serves_on() -> None:
    with forwarding(f"127.0.0.1:{free_port()}") as (port, _):
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", port), 20) as client:
                assert client.recv(1) == b""


def test_the_forwarder_ends_at_once_when_asked_to() -> None:
    with forwarding("127.0.0.1:1") as (port, process), socket.create_connection(("127.0.0.1", port)):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


class BusyEngine:
    """Creates containers, but starts and removes none while it is busy."""

    def __init__(self) -> None:
        self.api = SimpleNamespace(attach_socket=None, start=None)
        self.busy = True
        self.containers: set[str] = set()

    async def create(self, name: str, _: dict[str, Any]) -> str:
        self.containers.add(name)
        return name

    async def call(self, *_: Any, **__: Any) -> Any:
        raise EngineError("the Docker engine does not answer: timed out")

    async def remove(self, container: str) -> None:
        if self.busy:
            raise EngineError("the Docker engine does not answer: timed out")
        self.containers.discard(container)


def test_what_a_busy_engine_does_not_remove_is_removed_with_the_task(tmp_path: Path) -> None:
    engine = BusyEngine()
    settings = Settings("python:3", 4566, tmp_path / "edge.sock", "o", "n", ())
    events = SimpleNamespace(listen=lambda *_: None, forget=lambda *_: None)
    resources: Any = SimpleNamespace(
        engine=engine, events=events, settings=settings, edge="unix:/x", network="n", labels={}
    )

    async def script() -> None:
        sandbox = Sandbox(resources, "0" * 32)
        with pytest.raises(CannotStartError):
            await sandbox.open({"family": "web"})
        assert engine.containers
        engine.busy = False
        await sandbox.close()

    asyncio.run(script())
    assert engine.containers == set()
