"""Tasks whose containers run in the Docker engine: what they see, how they end, what is left of them."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually, running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.testing import Emulator

pytestmark = pytest.mark.containers

FORWARDED = 15432
REPORT = f"""
import json, os, pwd, resource, socket, urllib.request
def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)
def ask(port):
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(b"ping")
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile().read()
def limit():
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        if os.path.exists(path):
            return int(open(path).read())
def write(path):
    try:
        open(path, "w").write("x")
        return "written"
    except OSError as error:
        return error.strerror
credentials = get(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
metadata = get(os.environ["ECS_CONTAINER_METADATA_URI_V4"])
with open("/shared/word", "w") as file:
    file.write("from the first container")
print(json.dumps(dict(
    environment=dict(os.environ), uid=os.getuid(), folder=os.getcwd(), limit=limit(),
    files=resource.getrlimit(resource.RLIMIT_NOFILE), pid=os.getpid(), root=write("/root-file"),
    scratch=write("/scratch/file"), role=credentials["RoleArn"], key=credentials["AccessKeyId"],
    told=metadata["Name"], forwarded=ask({FORWARDED}), parent=open("/proc/1/comm").read().strip(),
)), flush=True)
"""
ASK = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/', timeout=4)"
# Docker gives an empty volume the mode of the image's folder each time it is mounted.
OPENED = """
import os
for folder in ("/shared", "/scratch"):
    os.chmod(folder, 0o777)
    open(f"{folder}/opened", "w").close()
"""
ECHO = """
import socket, threading
def serve(connection):
    with connection:
        text = connection.makefile().read()
        connection.sendall(f"{text}, answered after the end of the request".encode())
listener = socket.create_server(("0.0.0.0", 7))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
SIDECAR = """
import os, time, urllib.request
while not os.path.exists("/data/word"):
    time.sleep(0.05)
print(open("/data/word").read(), flush=True)
def answers():
    try:
        return urllib.request.urlopen("http://127.0.0.1:8080/", timeout=5).read().decode()
    except OSError:
        return ""
while not answers():
    time.sleep(0.05)
print("the server says", answers(), flush=True)
"""


@pytest.fixture(scope="module")
def neighbours(engine: Any, python_image: str) -> Iterator[str]:
    """A network with a host `echo` on it."""
    name = f"samjhadoo-test-{uuid.uuid4().hex[:8]}"
    network = engine.networks.create(name)
    echo = engine.containers.create(python_image, ["python3", "-c", ECHO], user="0", name=f"{name}-echo")
    network.connect(echo, aliases=["echo"])
    echo.start()
    yield name
    echo.remove(force=True)
    network.remove()


@pytest.fixture(scope="module")
def emulator(python_image: str, neighbours: str) -> Iterator[Emulator]:
    options = ["--network", neighbours, "--forward", f"{FORWARDED}=echo:7"]
    with running_emulator("--pause-image", python_image, *options, runtime="docker") as emulator:
        yield emulator


@pytest.fixture(scope="module")
def report(
    emulator: Emulator, engine: Any, python_image: str, server: str, tasks_of: Any
) -> tuple[dict[str, Any], list[str]]:
    """What a container with all the trimmings sees, and the lines of its sidecar."""
    tasks = tasks_of(emulator, engine, python_image)
    secret = emulator.client("secretsmanager").create_secret(Name="word", SecretString='{"a": "sesame"}')
    volumes = [
        {"sourceVolume": "shared", "containerPath": "/shared"},
        {"sourceVolume": "scratch", "containerPath": "/scratch"},
    ]
    task = tasks.run(
        tasks.container(
            REPORT,
            essential=False,
            dependsOn=[{"containerName": "web", "condition": "HEALTHY"}],  # it has opened the folders by then
            secrets=[{"name": "SECRET", "valueFrom": f"{secret['ARN']}:a::"}],
            environment=[{"name": "PORT", "value": "unchanged"}, {"name": "LANG", "value": "fr_FR"}],
            user="4321:4321",
            workingDirectory="/scratch",
            memory=128,
            readonlyRootFilesystem=True,
            ulimits=[{"name": "nofile", "softLimit": 333, "hardLimit": 444}],
            linuxParameters={"initProcessEnabled": True, "capabilities": {"drop": ["NET_RAW"]}},
            mountPoints=volumes,
            dockerLabels={"team": "payments"},
        ),
        tasks.container(
            OPENED + server,
            name="web",
            user="0",
            mountPoints=volumes,
            portMappings=[{"containerPort": 8080}],
            environment=[{"name": "NAME", "value": "served"}],
            healthCheck={"command": ["CMD", "python3", "-c", ASK], "startPeriod": 30},
        ),
        tasks.container(
            SIDECAR,
            name="sidecar",
            essential=False,
            mountPoints=[{"sourceVolume": "shared", "containerPath": "/data", "readOnly": True}],
        ),
        volumes=[{"name": "shared"}, {"name": "scratch"}],
    )
    seen = json.loads(tasks.printed(task, "environment"))
    tasks.printed(task, "the server says", "sidecar")
    lines = tasks.lines(task, "sidecar")
    tasks.ecs.stop_task(task=task)
    tasks.reached(task, "STOPPED")
    assert tasks.containers(task_id=task.rpartition("/")[2]) == []
    left = [each.name for each in engine.volumes.list() if task.rpartition("/")[2] in each.name]
    assert left == []
    return seen, lines


def test_a_container_sees_its_environment_and_the_local_aws(
    report: tuple[dict[str, Any], list[str]], emulator: Emulator
) -> None:
    seen = report[0]["environment"]
    assert seen["AWS_ENDPOINT_URL"] == emulator.url
    assert (seen["SECRET"], seen["PORT"], seen["LANG"]) == ("sesame", "unchanged", "fr_FR")
    assert "SERVER_PORT" not in seen
    assert report[0]["role"].endswith("role/tasks")
    assert report[0]["key"]
    assert report[0]["told"] == "app"


def test_a_container_runs_within_its_limits(report: tuple[dict[str, Any], list[str]]) -> None:
    seen = report[0]
    assert (seen["uid"], seen["folder"]) == (4321, "/scratch")
    assert seen["limit"] == 128 << 20
    assert seen["files"] == [333, 444]
    assert (seen["root"], seen["scratch"]) == ("Read-only file system", "written")
    assert seen["pid"] > 1
    assert "init" in seen["parent"]


def test_containers_of_a_task_share_localhost_and_volumes(
    report: tuple[dict[str, Any], list[str]],
) -> None:
    assert report[1] == ["from the first container", "the server says served"]


def test_a_forwarded_port_leads_to_a_neighbour_even_half_closed(
    report: tuple[dict[str, Any], list[str]],
) -> None:
    assert report[0]["forwarded"] == "ping, answered after the end of the request"


def test_exit_codes_and_all_last_lines_are_kept(tasks: Any) -> None:
    program = (
        "import sys, os\n"
        "for number in range(2000): print('line', number)\n"
        "sys.stdout.flush(); sys.stderr.write('to standard error\\n')\n"
        "os.write(1, b'x' * 300_000 + b'\\n' + b'\\xff\\xfe binary\\n' + b'no end of line'); os._exit(42)"
    )
    task = tasks.run(tasks.container(program))
    found = tasks.reached(task, "STOPPED")
    assert found["containers"][0]["exitCode"] == 42
    assert "reason" not in found["containers"][0]
    pages = tasks.emulator.client("logs").get_paginator("filter_log_events")
    lines = [
        event["message"]
        for page in pages.paginate(logGroupName="docker", logStreamNames=[f"t/app/{task[-32:]}"])
        for event in page["events"]
    ]
    written = [line for line in lines if line != "to standard error"]
    assert written[:2000] == [f"line {number}" for number in range(2000)]
    assert [len(line) for line in written[2000:2002]] == [262_118, 300_000 - 262_118]
    assert written[2002:] == ["\ufffd\ufffd binary", "no end of line"]
    assert "to standard error" in lines


def test_a_container_that_takes_too_much_memory_is_killed_and_the_reason_reported(tasks: Any) -> None:
    program = "import time\nkept = []\nwhile True: kept.append(bytearray(8 << 20)); time.sleep(0.01)"
    found = tasks.ended(tasks.container(program, memory=64))
    assert found["containers"][0]["exitCode"] == 137
    assert found["containers"][0]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


def test_a_task_without_limits_of_its_own_has_the_tasks(tasks: Any) -> None:
    task = tasks.run(tasks.container("import time; time.sleep(600)"))
    tasks.reached(task, "RUNNING")
    (container,) = tasks.containers(task_id=task[-32:])
    assert container.attrs["HostConfig"]["Memory"] == 512 << 20
    assert container.attrs["HostConfig"]["NanoCpus"] == 250_000_000
    tasks.ecs.stop_task(task=task)


def test_a_process_that_does_not_stop_is_killed_after_its_time(tasks: Any) -> None:
    program = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: print('asked to stop', flush=True))\n"
        "print('up', flush=True)\n"
        "while True: time.sleep(1)"
    )
    task = tasks.run(tasks.container(program, stopTimeout=2))
    tasks.printed(task, "up")
    asked = time.monotonic()
    tasks.ecs.stop_task(task=task)
    found = tasks.reached(task, "STOPPED")
    assert time.monotonic() - asked >= 2
    assert found["containers"][0]["exitCode"] == 137
    assert "asked to stop" in tasks.lines(task)


def test_a_health_check_runs_in_the_container_and_hanging_ones_do_not_pile_up(tasks: Any) -> None:
    program = "import os, time; open('/tmp/well', 'w'); print('up', flush=True); time.sleep(600)"
    check = "if test -e /tmp/well; then exit 0; fi; exec sleep 500"
    task = tasks.run(
        tasks.container(
            program,
            user="0",
            healthCheck={"command": ["CMD-SHELL", check], "interval": 5, "timeout": 2, "retries": 2},
        )
    )
    eventually(lambda: tasks.describe(task)["healthStatus"] == "HEALTHY", within=30)
    (container,) = tasks.containers(task_id=task[-32:])
    container.exec_run(["rm", "/tmp/well"])
    eventually(lambda: tasks.describe(task)["healthStatus"] == "UNHEALTHY", within=60)
    hanging = [line for line in container.top()["Processes"] if "sleep 500" in line[-1]]
    assert len(hanging) <= 1
    tasks.ecs.stop_task(task=task)
    tasks.reached(task, "STOPPED")


def test_a_suspended_task_does_nothing_until_it_is_let_go(tasks: Any, emulator: Emulator) -> None:
    program = "import time\nfor number in range(10_000): print('tick', number, flush=True); time.sleep(0.05)"
    task = tasks.run(tasks.container(program))
    tasks.printed(task, "tick 3")
    with emulator.faults.partition_task(task=task):
        (container,) = tasks.containers(task_id=task[-32:])
        eventually(lambda: container.reload() or container.status == "paused")
    eventually(lambda: container.reload() or container.status == "running")
    emulator.faults.kill_task(task=task)
    found = tasks.reached(task, "STOPPED")
    assert found["containers"][0]["exitCode"] == 137


def test_a_container_restarts_in_its_task(tasks: Any) -> None:
    program = "import os, time; time.sleep(0.5)\nbeen = os.path.exists('/tmp/been')\n"
    program += "print('again' if been else 'first', flush=True)\n"
    program += "open('/tmp/been', 'w'); os._exit(3)"
    task = tasks.run(
        tasks.container(program, name="restless", essential=False, restartPolicy=RESTARTS),
        tasks.container("import time; time.sleep(600)"),
    )
    tasks.printed(task, "again", "restless")
    assert len(tasks.containers(task_id=task[-32:])) == 2
    tasks.ecs.stop_task(task=task)


def test_an_image_that_cannot_be_pulled_is_reported_as_at_aws(tasks: Any, emulator: Emulator) -> None:
    emulator.client("ecr").create_repository(repositoryName="here/empty")
    registry = emulator.url.removeprefix("http://")
    for image, wanted in (
        (f"{registry}/here/empty:9", f"{registry}/here/empty:9: not found"),
        ("127.0.0.1:1/no/registry:1", "127.0.0.1:1"),
    ):
        found = tasks.ended(tasks.container(image=image))
        assert found["stopCode"] == "TaskFailedToStart"
        assert found["stoppedReason"].startswith(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref "
        )
        assert wanted in found["stoppedReason"]


def test_a_program_that_is_not_there_cannot_be_started(tasks: Any) -> None:
    found = tasks.ended(tasks.container(command=["/no/such/program"]))
    assert found["stopCode"] == "TaskFailedToStart"
    reason = found["containers"][0]["reason"]
    assert reason.startswith("CannotStartContainerError: ")
    assert "/no/such/program" in reason


def test_ten_tasks_start_at_once(tasks: Any) -> None:
    definition = tasks.define(tasks.container("import time; print('up', flush=True); time.sleep(600)"))
    arns = tasks.started(definition, count=10)

    def statuses() -> set[str]:
        return {task["lastStatus"] for task in tasks.ecs.describe_tasks(tasks=arns)["tasks"]}

    eventually(lambda: statuses() == {"RUNNING"}, within=60)
    for arn in arns:
        tasks.ecs.stop_task(task=arn)
    eventually(lambda: statuses() == {"STOPPED"}, within=90)


def test_a_task_stopped_while_it_starts_leaves_nothing(tasks: Any) -> None:
    definition = tasks.define(tasks.container("import time; time.sleep(600)"))
    started = tasks.started(definition, count=4)
    for number, arn in enumerate(started):
        time.sleep(0.2 * number)  # one after another is further in its start
        tasks.ecs.stop_task(task=arn)
    for arn in started:
        tasks.reached(arn, "STOPPED")
        name = f"pause-{arn[-32:][:12]}"
        assert [each for each in tasks.containers() if name in each.name] == []
        assert tasks.containers(task_id=arn[-32:]) == []


RESTARTS = {"enabled": True, "restartAttemptPeriod": 60}
