"""Done-when 2: a deployer killed at any moment leaves nothing behind that a resume, or ECS, won't end.

Each deploy is a user's process in a process group of its own, killed with SIGKILL at a random moment; then
it is resumed, or left to ECS's own time-outs. The moments are seeded: `SAMJHADOO_SEED=7 nox -s kills`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.testing import stack_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PARTS = ("tasks.py", "environments", "localstack", "docker")
SEED = int(os.environ.get("SAMJHADOO_SEED", "20"))
KILLS = int(os.environ.get("SAMJHADOO_KILLS", "20"))
LONGEST = 14.0
"""Real seconds into a deploy; an undisturbed one takes about as long."""
LEFT_TO_ECS = 4
"""Every so manieth is not resumed."""
SETTINGS = {
    "SAMJHADOO_DEPLOYMENT__BAKE_TIME": "10m",
    "SAMJHADOO_DEPLOYMENT__HOOK_TIMEOUTS__TEST": "60m",
    "SAMJHADOO_DEPLOYMENT__HOOK_TIMEOUTS__PRODUCTION": "60m",
}
ENDED_SAFELY = {"SUCCESSFUL", "ROLLBACK_SUCCESSFUL"}


class Project:
    """A copy of the project outside git, so that a release is its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        self.variables = {**kept, **stack_on_free_ports(), **SETTINGS}
        for part in PARTS:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        self._changes = 0

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a task in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments, "--json"],
            cwd=self.folder,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def invoke(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Run a task to its end; return its exit code and events."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=300)
        return process.returncode, [json.loads(line) for line in output.splitlines() if line.startswith("{")]

    def change(self) -> None:
        """Make the next deploy one of another release."""
        self._changes += 1
        source = self.folder / "docker" / "backend" / "samjhadoo_backend" / "__init__.py"
        source.write_text(f"{source.read_text()}\n# change {self._changes}\n")

    def client(self, service: str) -> Any:
        """Return an AWS client of the stack."""
        import boto3

        state = json.loads((self.folder / ".samjhadoo" / "local" / "stack.json").read_text())
        return boto3.client(
            service,
            endpoint_url=state["endpoints"]["aws"],
            region_name="ap-south-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def status(self) -> dict[str, Any]:
        """Return what `invoke status` shows."""
        code, events = self.invoke("status")
        assert code == 0, events
        return events[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose first release serves."""
    made = Project(tmp_path_factory.mktemp("killed"))
    try:
        code, events = made.invoke("deploy")
        assert code == 0, events[-3:]
        yield made
    finally:
        made.invoke("stack.down")


def deployments(project: Project) -> list[dict[str, Any]]:
    """Return the service deployments, the newest first."""
    ecs = project.client("ecs")
    found = ecs.list_service_deployments(cluster="samjhadoo-cluster", service="samjhadoo-service")
    return sorted(found["serviceDeployments"], key=lambda brief: brief["createdAt"], reverse=True)


def killed_after(project: Project, seconds: float) -> str:
    """Start a deploy, kill its process group after so many seconds, and return the last it said."""
    process = project.start("deploy")
    time.sleep(seconds)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    last = [json.loads(line) for line in output.splitlines() if line.startswith("{")][-1:]
    return f"{'ended' if ended else 'killed'} at {last[0]['event'] if last else 'nothing'}"


def wait_for_ecs(project: Project) -> None:
    """Wait until ECS has ended what is going on, by itself."""

    def over() -> bool:
        return {brief["status"] for brief in deployments(project)[:3]} <= {*ENDED_SAFELY, "STOPPED"}

    eventually(over, within=120)


def test_a_deployer_killed_at_any_moment_ends_in_one_consistent_release(project: Project) -> None:
    chosen = random.Random(SEED)
    table = []
    for number in range(KILLS):
        project.change()
        before = len(deployments(project))
        moment = chosen.uniform(0.3, LONGEST)
        said = killed_after(project, moment)
        if number % LEFT_TO_ECS == LEFT_TO_ECS - 1:
            wait_for_ecs(project)
            how = "left to ECS"
        else:
            code, events = project.invoke("deploy", "--resume")
            result = events[-1]
            how = f"resumed: {result['outcome']}"
            never_begun = code == 3 and "was never begun" in result["message"]
            assert code in {0, 4} or never_begun, (number, moment, said, result)
            assert project.status()["lock"] == "", number
        table.append(f"{number:2}  {moment:5.1f} s  {said:28}  {how}")
        print(table[-1], flush=True)  # noqa: T201
        assert len(deployments(project)) - before <= 1, "deployed twice"
        consistent(project)
    # What was left to ECS is recorded by whoever deploys next.
    project.change()
    code, events = project.invoke("deploy")
    assert code == 0, events[-1]
    code, events = project.invoke("history", "--limit", "100")
    unfinished = [event for event in events if event.get("outcome") == "unfinished"]
    assert unfinished == [], unfinished


def consistent(project: Project) -> None:
    """Check that one release serves alone."""
    newest = deployments(project)[0]
    assert newest["status"] in ENDED_SAFELY, newest
    service = project.client("ecs").describe_services(
        cluster="samjhadoo-cluster", services=["samjhadoo-service"]
    )["services"][0]
    assert len(service["currentServiceRevisions"]) == 1, service
    seen = project.status()
    assert sorted(share for share in seen["traffic"].values() if share) == [100.0], seen
    serving = set()
    for _ in range(20):
        with urllib.request.urlopen(f"{seen['production']}/api/v1/version", timeout=10) as answer:
            serving.add(json.load(answer)["version"])
    assert len(serving) == 1, serving
