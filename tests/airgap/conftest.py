"""The air-gapped images, and containers of them that go with the test."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.artifacts import pins
from samjhadoo_ops.testing.plugin import refuse_or_skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAGS = {
    "postgres": "samjhadoo-airgap/postgres:14",
    "redis": "samjhadoo-airgap/redis:7",
    "localstack": "samjhadoo-airgap/localstack:2026.3.0",
    "flyway": f"samjhadoo-airgap/flyway:{pins.flyway().version}",
    "backend-base": "samjhadoo/backend-base:1",
}
DEADLINE = 120


@pytest.fixture(scope="session")
def airgap_image(engine: Any) -> Callable[[str], str]:
    """Return the tag of an image by its name; without it the test is skipped, or fails where required."""
    from docker.errors import ImageNotFound

    def find(name: str) -> str:
        try:
            engine.images.get(TAGS[name])
        except ImageNotFound:
            refuse_or_skip(f"{TAGS[name]} is not in the engine: docker/airgap/build {name}")
        return TAGS[name]

    return find


@pytest.fixture
def start(engine: Any, airgap_image: Callable[[str], str]) -> Iterator[Callable[..., Any]]:
    """Start containers of an image by its name; files of the machine are copied in before."""
    made = []

    def start(name: str, *command: str, files: dict[str, bytes] | None = None, **options: Any) -> Any:
        container = engine.containers.create(airgap_image(name), list(command) or None, **options)
        made.append(container)
        if files:
            container.put_archive("/", packed(files))
        container.start()
        return container

    yield start
    for container in made:
        container.remove(force=True, v=True)


def packed(files: dict[str, bytes]) -> bytes:
    """Return a tar archive of executable files."""
    import io
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def output() -> Callable[..., str]:
    """Run a command in a container until it succeeds; return what it prints."""

    def run(container: Any, *command: str) -> str:
        deadline = time.monotonic() + DEADLINE
        while True:
            code, text = container.exec_run(list(command))
            if not code:
                return text.decode().strip()
            container.reload()
            if container.status == "exited" or time.monotonic() > deadline:
                pytest.fail(f"{command}: {text.decode()}\n{container.logs().decode()}")
            time.sleep(0.2)

    return run


@pytest.fixture
def logged() -> Callable[[Any, str], str]:
    """Wait until a container has logged a text; return the log."""

    def wait(container: Any, text: str) -> str:
        deadline = time.monotonic() + DEADLINE
        while text not in (log := container.logs().decode()):
            container.reload()
            if container.status == "exited" or time.monotonic() > deadline:
                pytest.fail(f"{text!r} was not logged:\n{log}")
            time.sleep(0.2)
        return str(log)

    return wait


@pytest.fixture
def ended() -> Callable[[Any], tuple[int, str]]:
    """Wait until a container has ended; return its exit code and log."""

    def wait(container: Any) -> tuple[int, str]:
        code = container.wait(timeout=DEADLINE)["StatusCode"]
        return code, container.logs().decode()

    return wait
