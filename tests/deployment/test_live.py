"""Deploys that are disturbed, on a stack of their own, as a user's processes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.deployment.plan import make_plan
from samjhadoo_ops.deployment.run import ServiceContext
from samjhadoo_ops.testing import stack_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

ROOT = Path(__file__).parents[2]
PARTS = ("tasks.py", "environments", "localstack", "docker")
READING = ("Describe", "Get", "List", "Head", "BatchGet", "SimulatePrincipalPolicy")
SERVICES = (
    "sts",
    "ecs",
    "elbv2",
    "ecr",
    "s3",
    "secretsmanager",
    "ssm",
    "iam",
    "cloudwatch",
    "ec2",
    "service-quotas",
)


class Project:
    """A copy of the project outside git, so that a release is its content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._changes = 0
        # Nobody else's stack may come to stand where ours was killed.
        self._ports = stack_on_free_ports()
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, folder / part)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Start a task; its output is JSON lines."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "invoke", *arguments, "--json"],
            cwd=self.folder,
            env={**kept, **self._ports, "SAMJHADOO_DEPLOYMENT__BAKE_TIME": "10m", **variables},
            stdout=subprocess.PIPE,
            text=True,
        )

    def invoke(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Run a task to its end; return its exit code and events."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        return process.returncode, [json.loads(line) for line in output.splitlines()]

    def change(self) -> None:
        """Make the next deploy one of another release."""
        self._changes += 1
        source = self.folder / "docker" / "backend" / "samjhadoo_backend" / "__init__.py"
        source.write_text(f"{source.read_text()}\n# change {self._changes}\n")

    def state(self) -> dict[str, Any]:
        """Return what the stack says of itself."""
        return json.loads((self.folder / ".samjhadoo" / "local" / "stack.json").read_text())


def until(process: subprocess.Popen[str], holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Read a task's events up to one."""
    assert process.stdout is not None
    for line in process.stdout:
        event: dict[str, Any] = json.loads(line)
        if holds(event):
            return event
    raise AssertionError("the task ended before")


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for a task's end and return its exit code."""
    process.communicate(timeout=120)
    return process.returncode


def in_canary(event: dict[str, Any]) -> bool:
    return event.get("phase") == "CANARY"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose first release serves."""
    made = Project(tmp_path_factory.mktemp("project"))
    try:
        code, events = made.invoke("deploy")
        assert code == 0, events[-3:]
        yield made
    finally:
        made.invoke("stack.down")


@contextlib.contextmanager
def read_only_database(env: Environment, aws: Aws) -> Iterator[None]:
    """Let the database refuse every write of a session that begins in the block."""
    from samjhadoo_ops.database.connection import Connection

    secret = env.database.secret
    with Connection.from_secret(secret, secret.resolve(aws)).open() as connection:
        connection.execute("ALTER ROLE CURRENT_USER SET default_transaction_read_only = on")
        try:
            yield
        finally:
            connection.execute("ALTER ROLE CURRENT_USER RESET default_transaction_read_only")


def test_a_plan_calls_nothing_that_changes_anything(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import load_environment

    monkeypatch.chdir(project.folder)
    state, env = project.state(), load_environment("local", root=project.folder)
    aws = Aws(env, state["endpoints"]["aws"])
    called: list[str] = []
    for service in SERVICES:
        events = aws.client(service).meta.events
        events.register("before-call.*.*", lambda model, **_: called.append(model.name))
    clock = Clock(minute=env.clock.minute, origin=state["clock"]["origin"])
    project.change()
    with read_only_database(env, aws):
        made = make_plan(
            ServiceContext(env, aws, clock, Console("json"), state["endpoints"]["production"], "")
        )
    assert made.changes > 0
    assert not made.refused
    assert {"GetRole", "GetMetricData", "DescribeRules"} <= set(called)
    assert set(aws.calls) <= {
        aws.client(service).meta.service_model.service_id.hyphenize() for service in SERVICES
    }
    assert [name for name in called if not name.startswith(READING)] == []


def just_started(event: dict[str, Any]) -> bool:
    return event["event"] == "deployment"


@pytest.mark.parametrize(
    ("moment", "number", "code"),
    [
        pytest.param(in_canary, signal.SIGINT, 130, id="Ctrl-C in the canary"),
        pytest.param(in_canary, signal.SIGTERM, 143, id="SIGTERM in the canary"),
        pytest.param(just_started, signal.SIGINT, 130, id="Ctrl-C right after the update"),
    ],
)
def test_an_interrupted_deploy_is_rolled_back_recorded_and_leaves_no_lock(
    project: Project, moment: Callable[[dict[str, Any]], bool], number: signal.Signals, code: int
) -> None:
    project.change()
    deploying = project.start("deploy")
    until(deploying, moment)
    deploying.send_signal(number)
    told = until(deploying, lambda event: event["event"] == "interrupted")
    assert told["phase"] in {"ROLLED_BACK", "ROLLING_BACK"}
    assert ended(deploying) == code
    assert project.invoke("status")[1][0]["lock"] == ""
    newest = project.invoke("history", "--limit", "1")[1][0]
    assert newest["outcome"].startswith("interrupted")


def test_by_policy_an_interrupted_deploy_is_left_to_ecs_and_can_still_be_taken_back(
    project: Project,
) -> None:
    project.change()
    deploying = project.start("deploy", SAMJHADOO_ROLLBACK__ON_INTERRUPT="leave")
    until(deploying, in_canary)
    deploying.send_signal(signal.SIGINT)
    told = until(deploying, lambda event: event["event"] == "interrupted")
    assert "ECS rolls it back when they time out" in told["message"]
    assert ended(deploying) == 130
    code, events = project.invoke("rollback")
    assert (code, events[-1]["how"]) == (0, "stopped")
    assert events[-1]["restored"] < 10.0


def test_a_deploy_whose_aws_is_gone_needs_a_person_and_says_what_is_known(project: Project) -> None:
    """The last test: it kills the stack's emulator."""
    project.change()
    deploying = project.start("deploy")
    until(deploying, in_canary)
    emulator = next(each for each in project.state()["processes"] if each["name"] == "emulator")
    os.kill(emulator["pid"], signal.SIGKILL)
    killed = time.monotonic()
    result = until(deploying, lambda event: event["event"] == "result")
    assert ended(deploying) == 5
    assert time.monotonic() - killed < 60
    assert result["exit_code"] == 5
    assert "canary, 10 %" in result["changed"], result
    assert "invoke status" in result["hint"]
