"""What an emulator leaves in the engine: nothing; and images that it runs by digest from its own registry."""

from __future__ import annotations

import base64
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually, running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.containers

SHELL = "tar -chf - /bin/sh $(ldd /bin/sh | grep -o '/[^ )]*' | sort -u) | base64"


@pytest.fixture(scope="module")
def shell_image(engine: Any, python_image: str) -> Iterator[str]:
    """A tiny image: the shell of the Python image, and what it needs."""
    written = engine.containers.run(python_image, ["sh", "-c", SHELL], remove=True)
    name = f"samjhadoo-ops-test/shell-{uuid.uuid4().hex[:8]}"
    engine.api.import_image_from_data(base64.b64decode(written), name, tag="1")
    yield f"{name}:1"
    engine.images.remove(f"{name}:1", force=True)


def mine(engine: Any, owner: str) -> list[Any]:
    filters = {"label": f"samjhadoo-ops.emulator={owner}"}
    return [
        *engine.containers.list(all=True, filters=filters, ignore_removed=True),
        *engine.networks.list(filters=filters),
        *engine.volumes.list(filters=filters),
    ]


def owner_of(tasks: Any, task: str) -> str:
    (container,) = tasks.containers(task_id=task[-32:])
    return str(container.labels["samjhadoo-ops.emulator"])


def test_an_image_is_pulled_by_digest_from_the_emulated_registry_and_removed_at_the_end(
    engine: Any, python_image: str, shell_image: str, tasks_of: Any
) -> None:
    with running_emulator("--pause-image", python_image, runtime="docker") as emulator:
        tasks = tasks_of(emulator, engine, python_image)
        emulator.client("ecr").create_repository(repositoryName="tiny/shell")
        registry = emulator.url.removeprefix("http://")
        pushed = f"{registry}/tiny/shell"
        engine.images.get(shell_image).tag(pushed, "1")
        assert "error" not in engine.images.push(pushed, "1")
        engine.images.remove(f"{pushed}:1")
        digest = emulator.client("ecr").describe_images(repositoryName="tiny/shell")["imageDetails"][0][
            "imageDigest"
        ]
        command = ["/bin/sh", "-c", "echo from the registry; exit 5"]
        for image in (f"{pushed}:1", f"000000000000.dkr.ecr.ap-south-1.amazonaws.com/tiny/shell@{digest}"):
            task = tasks.run(tasks.container(image=image, command=command))
            found = tasks.reached(task, "STOPPED")
            assert found["containers"][0]["exitCode"] == 5
            assert found["containers"][0]["imageDigest"] == digest
            assert tasks.lines(task) == ["from the registry"]
        assert engine.images.get(f"{pushed}@{digest}")
    names = [name for image in engine.api.images() for name in image["RepoDigests"] or []]
    assert f"{pushed}@{digest}" not in names


def test_an_emulator_that_is_killed_leaves_nothing_in_the_engine(
    engine: Any, python_image: str, server: str, tasks_of: Any
) -> None:
    with running_emulator("--pause-image", python_image, runtime="docker") as emulator:
        tasks = tasks_of(emulator, engine, python_image)
        task = tasks.run(tasks.container(server), volumes=[{"name": "scratch"}])
        tasks.reached(task, "RUNNING")
        owner = owner_of(tasks, task)
        assert len(mine(engine, owner)) == 3  # a network, the pause container, the server
        emulator.process.send_signal(signal.SIGKILL)
        eventually(lambda: not mine(engine, owner), within=60)


def test_what_a_killed_emulator_left_is_removed_and_the_next_one_on_its_folder_keeps_its_tasks(
    engine: Any, python_image: str, server: str, tasks_of: Any, tmp_path: Path
) -> None:
    options = ["--pause-image", python_image]
    with running_emulator(*options, runtime="docker", folder=tmp_path) as emulator:
        tasks = tasks_of(emulator, engine, python_image)
        before = tasks.run(tasks.container(server))
        tasks.reached(before, "RUNNING")
        owner = owner_of(tasks, before)
        emulator.process.send_signal(signal.SIGKILL)
        emulator.process.wait()
    with running_emulator(*options, runtime="docker", folder=tmp_path) as emulator:
        tasks = tasks_of(emulator, engine, python_image)
        after = tasks.run(tasks.container(server))
        tasks.reached(after, "RUNNING")
        assert owner_of(tasks, after) == owner
        time.sleep(2)  # the helper of the killed run would have removed it by now
        assert tasks.describe(after)["lastStatus"] == "RUNNING"
        assert tasks.containers(task_id=before[-32:]) == []
    assert mine(engine, owner) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param([], "--runtime docker needs a --pause-image", id="no-image"),
        pytest.param(["--pause-image", "127.0.0.1:1/none:1"], "nor can it pull it", id="unknown-image"),
        pytest.param(
            ["--pause-image", "PYTHON", "--network", "no-such-network"],
            "has no such network",
            id="unknown-network",
        ),
        pytest.param(["--pause-image", "PYTHON", "--forward", "80"], "is not PORT=HOST:PORT", id="forward"),
    ],
)
def test_options_that_cannot_work_are_refused(python_image: str, options: list[str], message: str) -> None:
    given = [python_image if option == "PYTHON" else option for option in options]
    argv = [sys.executable, "-m", "samjhadoo_emulator", "--port", "0", "--runtime", "docker", *given]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
