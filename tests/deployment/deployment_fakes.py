"""Named fakes: a store in memory, and an ECS that goes through a deployment step by step."""

from __future__ import annotations

import io
import threading
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.deployment.journal import DeploymentJournal
from samjhadoo_ops.deployment.objects import Conflict, StoredObject
from samjhadoo_ops.deployment.run import Run, ServiceContext
from samjhadoo_ops.environment import load_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from samjhadoo_ops.deployment.configuration import Policy


class MemoryObjects:
    """An ObjectStore in memory, with S3's conditional writes."""

    def __init__(self) -> None:
        self._objects: dict[str, StoredObject] = {}
        self._writes: dict[str, int] = {}
        self._changed = threading.Condition()

    def create(self, key: str, body: bytes) -> str:
        with self._changed:
            if key in self._objects:
                raise Conflict(key)
            return self._store(key, body)

    def replace(self, key: str, body: bytes, *, etag: str) -> str:
        with self._changed:
            if key not in self._objects or self._objects[key].etag != etag:
                raise Conflict(key)
            return self._store(key, body)

    def read(self, key: str) -> StoredObject | None:
        return self._objects.get(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        yield from sorted(key for key in self._objects if key.startswith(prefix) and key > after)

    def folders(self, prefix: str, *, after: str = "") -> Iterator[str]:
        found = (prefix + key.removeprefix(prefix).split("/")[0] for key in self.keys(prefix, after=after))
        yield from dict.fromkeys(f"{folder}/" for folder in found)

    def age(self, key: str, seconds: float) -> None:
        """Make an object that old."""
        old = self._objects[key]
        self._objects[key] = StoredObject(old.body, old.etag, seconds)

    def wait_for_writes(self, key: str, count: int) -> bool:
        """Return whether an object was written so often within a few seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._writes.get(key, 0) >= count, timeout=30)

    def _store(self, key: str, body: bytes) -> str:
        self._writes[key] = self._writes.get(key, 0) + 1
        etag = f'"{self._writes[key]}-{hash(body)}"'
        self._objects[key] = StoredObject(body, etag, 0.0)
        self._changed.notify_all()
        return etag


class CountingObjects(MemoryObjects):
    """A store that counts the requests S3 would get: a page of a listing has a thousand keys at most."""

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0

    def read(self, key: str) -> StoredObject | None:
        self.requests += 1
        return super().read(key)

    def keys(self, prefix: str, *, after: str = "") -> Iterator[str]:
        return self._paged(super().keys(prefix, after=after))

    def folders(self, prefix: str, *, after: str = "") -> Iterator[str]:
        found = (prefix + key.removeprefix(prefix).split("/")[0] for key in self._objects if key > after)
        return self._paged(f"{folder}/" for folder in sorted(set(found)))

    def _paged(self, found: Iterable[str]) -> Iterator[str]:
        for number, key in enumerate(found):
            self.requests += number % 1000 == 0
            yield key


class FakeTime:
    """A wall clock that only moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def read(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        time.sleep(0.0005)  # lets threads of the code under test run

    @property
    def clock(self) -> Clock:
        return Clock(read=self.read, wait=self.wait)


class CanaryEcs:
    """An ECS that takes one canary deployment through its stages, in one of the two documented orders.

    Args:
        gate_first: Whether the second gate opens before the canary has baked.
        healthy_after: Minutes until the new tasks are healthy; None for never.
        stages: Renames stages, as a newer API would.
    """

    ARN = "arn:aws:ecs:ap-south-1:000000000000:service-deployment/c/s/pinned"

    def __init__(
        self,
        time: FakeTime,
        *,
        gate_first: bool = False,
        healthy_after: float | None = 2.0,
        stages: dict[str, str] | None = None,
        canary: float = 15.0,
        bake: float = 60.0,
    ) -> None:
        self._time = time
        self._stages = stages or {}
        self._healthy_after = healthy_after
        gate = [("PRE_PRODUCTION_TRAFFIC_SHIFT", 10.0, "gate-2", 0.0)]
        canary_bake = [("PRODUCTION_TRAFFIC_SHIFT", 10.0, "", canary)]
        self._script = [
            ("SCALE_UP", 0.0, "", healthy_after if healthy_after is not None else 1e9),
            ("POST_TEST_TRAFFIC_SHIFT", 0.0, "test", 0.0),
            ("PRE_PRODUCTION_TRAFFIC_SHIFT", 0.0, "gate-1", 0.0),
            *(gate + canary_bake if gate_first else canary_bake + gate),
            ("BAKE_TIME", 100.0, "", bake),
            ("CLEAN_UP", 100.0, "", 1.0),
        ]
        self._step = 0
        self._since = time.now
        self.status = "IN_PROGRESS"
        self.answers: list[tuple[str, str, float]] = []
        self.stops = 0
        self.current = self.ARN
        self.errors: list[Exception] = []
        self.calls = 0
        self.answered: set[str] = set()

    def deployment(self, arn: str) -> dict[str, Any]:
        assert arn == self.ARN
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        self._advance()
        if self._step >= len(self._script):
            return {"serviceDeploymentArn": self.ARN, "status": self.status}
        stage, weight, hook, _ = self._script[self._step]
        weight = 0.0 if self.status.startswith("ROLLBACK") else weight
        healthy = self._step > 0
        return {
            "serviceDeploymentArn": self.ARN,
            "status": self.status,
            "lifecycleStage": self._stages.get(stage, stage),
            "targetServiceRevision": {
                "arn": "r/2",
                "requestedTaskCount": 2,
                "runningTaskCount": 2 if healthy else 0,
                "requestedProductionTrafficWeight": weight,
                "requestedTestTrafficWeight": 100.0 if healthy else 0.0,
            },
            "lifecycleHookDetails": [{"hookId": hook, "targetType": "PAUSE", "status": "AWAITING_ACTION"}]
            if hook and self.status == "IN_PROGRESS"
            else [],
        }

    def describe(self) -> dict[str, Any]:
        return {"currentServiceDeployment": self.current}

    def answer_hook(self, arn: str, hook: str, action: str) -> bool:
        self.answers.append((hook, action, self._time.now))
        if self._script[self._step][2] != hook:
            return False
        self._next()
        return True

    def stop(self, arn: str) -> bool:
        self.stops += 1
        if self.status != "IN_PROGRESS":
            return False
        self.status, self._since = "ROLLBACK_IN_PROGRESS", self._time.now
        return True

    def weight(self) -> float:
        return self._script[self._step][1] if self._step < len(self._script) else 100.0

    def _advance(self) -> None:
        elapsed = (self._time.now - self._since) / 60
        if self.status == "ROLLBACK_IN_PROGRESS":
            self.status = "ROLLBACK_SUCCESSFUL" if elapsed >= 1 else self.status
        elif self._step < len(self._script) and self.status == "IN_PROGRESS":
            _, _, hook, minutes = self._script[self._step]
            if not hook and elapsed >= minutes:
                self._next()

    def _next(self) -> None:
        self._step += 1
        self._since = self._time.now
        if self._step == len(self._script):
            self.status = "SUCCESSFUL"


class FakeRun:
    """A run that remembers what it reported and recorded, and holds its lock unless `lost` says why not."""

    def __init__(self, time: FakeTime, policy: Policy) -> None:
        self.clock, self.policy = time.clock, policy
        self.ecs: Any = None
        self.reported: list[str] = []
        self.console = Console(err=io.StringIO())
        self.recorded: list[str] = []
        self.lost: Exception | None = None

    def ensure(self) -> None:
        if self.lost is not None:
            raise self.lost

    def report(self, event: str, text: str, **data: Any) -> None:
        self.reported.append(text)

    def record(self, event: str, **data: Any) -> None:
        self.recorded.append(event)


CALLER = "arn:aws:sts::000000000000:assumed-role/deployer/asha"


def begun_run(
    objects: MemoryObjects,
    *,
    kind: str = "deploy",
    ecs: Any = None,
    clock: Clock | None = None,
    variables: Mapping[str, str] | None = None,
) -> Run:
    """Return a run without a lock whose journal is in memory; it has no AWS but `ecs`."""
    env = load_environment("local", variables=variables or {})
    aws = SimpleNamespace(caller=CALLER)
    context = ServiceContext(env, cast("Any", aws), clock or Clock(), Console.decide(as_json=True), "", "")
    run = Run(context)
    run.__dict__["journal"] = DeploymentJournal(
        objects, prefix="deployments/", environment="local", service="samjhadoo-service"
    )
    run.__dict__["ecs"] = ecs
    run.begin(kind)
    return run
