from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "runtime"))

from fake_registry import FakeRegistry

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.ecs.runtime import runtime_for
from samjhadoo_emulator.ecs.tasks import Task, TaskRequest, Tasks
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.service import Host

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

CLUSTER = "arn:aws:ecs:ap-south-1:123456789012:cluster/main"


class FakeAws:
    """The AWS that tasks use: secrets, parameters, files and logs, in memory."""

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.parameters: dict[str, str] = {}
        self.groups: set[str] = {"/app"}
        self.events: dict[str, list[str]] = defaultdict(list)
        self.timestamps: list[int] = []
        self.batches: list[int] = []
        self.dead = False
        self.delivered = asyncio.Event()
        self.delay = 0.0
        self.calls: list[str] = []

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        self.calls.append(operation)
        answer: dict[str, Any] = getattr(self, operation)(params)
        if operation == "PutLogEvents":
            await asyncio.sleep(self.delay)
        return answer

    def GetSecretValue(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        key = ":".join(
            [params["SecretId"], *(params[k] for k in ("VersionStage", "VersionId") if k in params)]
        )
        if key not in self.secrets:
            raise AwsError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return {"SecretString": self.secrets[key]}

    def GetParameters(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert params["WithDecryption"]
        found = [
            {"Name": name, "Value": self.parameters[name]}
            for name in params["Names"]
            if name in self.parameters
        ]
        return {"Parameters": found, "InvalidParameters": []}

    def CreateLogGroup(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if params["logGroupName"] in self.groups:
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        self.groups.add(params["logGroupName"])
        return {}

    def CreateLogStream(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if params["logGroupName"] not in self.groups:
            raise AwsError("ResourceNotFoundException", "The specified log group does not exist.")
        return {}

    def PutLogEvents(self, params: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if self.dead:
            raise OSError("connection refused")
        events = params["logEvents"]
        self.delivered.set()
        self.batches.append(sum(len(event["message"].encode()) + 26 for event in events))
        self.timestamps += [event["timestamp"] for event in events]
        self.events[params["logStreamName"]] += [event["message"] for event in events]
        return {}


class Lab:
    """A region's tasks, with everything around them to look at."""

    def __init__(self, host: Host, registry: FakeRegistry, aws: FakeAws) -> None:
        self.host = host
        self.registry = registry
        self.aws = aws
        self.history: dict[str, list[str]] = defaultdict(list)
        self._moved = asyncio.Event()
        self.tasks = Tasks(host, "ap-south-1", aws, self._spawn, runtime_for(host))
        self.tasks.subscribe(self._note)

    def image(self, program: str = "", name: str = "web", **config: Any) -> str:
        """Push an image that runs a Python program (its own by default does nothing) and name it."""
        config.setdefault("Cmd", ["python", "/main.py"])
        self.registry.push(name, [{"main.py": program}], **config)
        return self.registry.reference(name)

    def shell(self, command: str, name: str = "app", **definition: Any) -> dict[str, Any]:
        """Return a container that runs a shell command."""
        image = self.image(name="shell", Cmd=[])
        return {"name": name, "image": image, "command": ["sh", "-c", command], **definition}

    def run(self, *containers: dict[str, Any], **request: Any) -> Task:
        definition = {
            "taskDefinitionArn": "arn:aws:ecs:ap-south-1:123456789012:task-definition/web:1",
            "family": "web",
            "networkMode": "awsvpc",
            "containerDefinitions": list(containers),
        }
        return self.tasks.start(TaskRequest(CLUSTER, "main", definition, "family:web", **request))

    async def until(self, check: Callable[[], Any], *, within: float = 60) -> None:
        async with asyncio.timeout(within):
            while not check():
                self._moved.clear()
                await self._moved.wait()

    async def written(self, file: Path, word: str = "") -> None:
        """Wait until a container has written a word into a file."""
        async with asyncio.timeout(60):
            while not file.exists() or word not in file.read_text():  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.01)

    async def status(self, task: Task, wanted: str) -> None:
        await self.until(lambda: task.last_status == wanted)

    def _spawn(self, work: Any, *, name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work, name=name)

    def _note(self, task: Task) -> None:
        history = self.history[task.id]
        if not history or history[-1] != task.last_status:
            history.append(task.last_status)
        self._moved.set()


Script = "Callable[[Lab], Awaitable[None]]"


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    yield fake
    fake.close()


@pytest.fixture
def in_lab(tmp_path: Path, registry: FakeRegistry) -> Callable[..., None]:
    """Run a script with a lab, which is cleaned up after it."""

    def run(script: Callable[[Lab], Awaitable[None]], **options: Any) -> None:
        host = Host(
            account="123456789012",
            clock=Clock(minute=0.2, origin=time.time()),
            data_dir=tmp_path / "data",
            edge_url=registry.url,
            options=options,
        )

        async def main() -> None:
            lab = Lab(host, registry, FakeAws())
            try:
                await script(lab)
            finally:
                await lab.tasks.close()

        asyncio.run(main())

    return run
