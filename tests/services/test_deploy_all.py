"""Deploys of several services as processes of their own; what each does is a line of a script."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.services.deploy_all import DeployAll, ServicesFailed
from samjhadoo_ops.services.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
SERVICE = """
[services.{name}]
after = {after}
[services.{name}.service]
name = "{name}"
target_groups = ["{name}-1", "{name}-2"]
production_listener_port = {port}0
test_listener_port = {port}1
[services.{name}.build]
repository = "{name}"
"""
# A task that does what its script contains: print events, `exit CODE`, `until FILE`, `write FILE`, `stuck`.
TASK = """
import json, os, signal, sys, time
task, service = sys.argv[1], sys.argv[sys.argv.index("--service") + 1]
def emit(event, **fields): print(json.dumps({"event": event, **fields}), flush=True)
def end(code):
    emit("result", outcome="succeeded" if code == 0 else "failed", exit_code=code, message=f"{task} {code}")
    sys.exit(code)
signal.signal(signal.SIGTERM, lambda *_: end(143))
signal.signal(signal.SIGINT, lambda *_: end(130))
with open("journal", "a") as journal:
    print(task, service, *sys.argv[5:], file=journal)
for step in open(f"{task}-{service}").read().split(";"):
    word, _, rest = step.strip().partition(" ")
    if word == "exit": end(int(rest))
    if word == "say": emit(rest, message=rest)
    if word == "gate": emit("gate", message=f"[{rest}] x: y", gate="x", state=rest)
    if word == "deployment": emit("deployment", deployment=rest)
    if word == "write": open(rest, "w").close()
    if word == "fail":
        message, details, hint = rest.split("|")
        emit("result", outcome="failed", exit_code=4, message=message, details=details.split(","), hint=hint,
             changed="something")
        sys.exit(4)
    if word == "die": os.kill(os.getpid(), signal.SIGKILL)
    if word == "noise": print("not JSON", flush=True)
    while word == "until" and not os.path.exists(rest): time.sleep(0.01)
    while word == "stuck": time.sleep(0.01)
"""


class ScriptedProject:
    """A project whose tasks are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out, self.err = io.StringIO(), io.StringIO()
        shutil.copytree(ROOT / "environments", folder / "environments")
        (folder / "task.py").write_text(TASK)
        self._count = 0

    def service(
        self, name: str, deploy: str, *, after: tuple[str, ...] = (), rollback: str = "exit 0"
    ) -> None:
        self._count += 1
        with (self.folder / "environments" / "local.toml").open("a") as file:
            file.write(SERVICE.format(name=name, after=json.dumps(after), port=900 + self._count))
        (self.folder / f"deploy-{name}").write_text(deploy)
        (self.folder / f"rollback-{name}").write_text(rollback)

    def deploy_all(self, policy: str = "stop", *, as_json: bool = False, **options: Any) -> DeployAll:
        variables = {"SAMJHADOO_ROLLOUT__ON_FAILURE": policy}
        env = load_environment("local", root=self.folder, variables=variables)
        console = Console("json" if as_json else "lines", out=self.out, err=self.err)
        pool = WorkerPool(self.folder, [sys.executable, "task.py"])
        return DeployAll(env, console, arguments=["--until=done"], pool=pool, **options)

    def run(self, policy: str = "stop", **options: Any) -> dict[str, Any]:
        ended = self.deploy_all(policy, **options).run()
        return {name: (each.outcome, each.code) for name, each in ended.items()}

    @property
    def journal(self) -> list[str]:
        return [" ".join(line.split()[:2]) for line in (self.folder / "journal").read_text().splitlines()]


@pytest.fixture
def project(tmp_path: Path) -> ScriptedProject:
    return ScriptedProject(tmp_path)


def test_all_services_are_deployed_in_their_order_and_shown_by_name(project: ScriptedProject) -> None:
    project.service("web", "say hello; exit 0", after=("api",))
    project.service("api", "noise; exit 0")
    deploys = project.deploy_all()
    deploys.show(deploys.run())
    assert project.journal == ["deploy api", "deploy web"]
    assert "web: hello" in project.err.getvalue()
    assert "api: not JSON" in project.err.getvalue()
    assert "deployed or up to date: web, api" in project.out.getvalue()


def test_gates_that_passed_are_counted_and_refusals_are_shown(project: ScriptedProject) -> None:
    project.service("api", "gate ok; gate skipped; gate ok; gate refused; say built; exit 0")
    project.run()
    lines = [line[10:] for line in project.err.getvalue().splitlines()]
    assert lines[:3] == ["✔ api: 3 checks passed or skipped", "api: [refused] x: y", "api: built"]


def test_they_run_side_by_side(project: ScriptedProject) -> None:
    project.service("a", "write a; until b; exit 0")
    project.service("b", "write b; until a; exit 0")
    assert project.run() == {"a": ("succeeded", 0), "b": ("succeeded", 0)}


def test_stop_lets_running_deploys_finish_and_starts_no_more(project: ScriptedProject) -> None:
    project.service("bad", "until began; exit 4")
    project.service("good", "write began; deployment g; exit 0")
    project.service("late", "exit 0", after=("good", "bad"))
    assert project.run() == {"bad": ("failed", 4), "good": ("succeeded", 0), "late": ("not started", None)}
    assert "deploy late" not in project.journal


def test_continue_deploys_what_does_not_come_after_the_failed_service(project: ScriptedProject) -> None:
    project.service("bad", "exit 4")
    project.service("late", "exit 0", after=("bad",))
    project.service("other", "exit 0")
    assert project.run("continue") == {
        "bad": ("failed", 4),
        "late": ("not started", None),
        "other": ("succeeded", 0),
    }


def test_rollback_rolls_finished_deploys_back_in_reverse_order(project: ScriptedProject) -> None:
    project.service("a", "deployment arn-a; exit 0")
    project.service("b", "deployment arn-b; exit 0", after=("a",))
    project.service("same", "exit 0", after=("b",))
    project.service("bad", "exit 4", after=("same",))
    back = ("rolled back", 4)
    assert project.run("rollback") == {"a": back, "b": back, "same": ("succeeded", 0), "bad": ("failed", 4)}
    assert project.journal[-2:] == ["rollback b", "rollback a"]
    assert "--deployment arn-b" in (project.folder / "journal").read_text()


def test_rollback_stops_a_running_deployment(project: ScriptedProject) -> None:
    project.service("bad", "until began; exit 4")
    project.service(
        "good", "deployment arn; write began; until stopped; exit 4", rollback="write stopped; exit 0"
    )
    assert project.run("rollback") == {"bad": ("failed", 4), "good": ("rolled back", 4)}


def test_rollback_ends_a_deploy_that_has_started_no_deployment_yet(project: ScriptedProject) -> None:
    project.service("bad", "until began; exit 3")
    project.service("good", "write began; stuck")
    assert project.run("rollback") == {"bad": ("failed", 3), "good": ("failed", 143)}
    assert "rollback good" not in project.journal


def test_a_deploy_that_waits_for_a_person_rolls_nothing_back(project: ScriptedProject) -> None:
    project.service("good", "deployment arn; exit 0")
    project.service("asking", "deployment arn-2; exit 6", after=("good",))
    assert project.run("rollback") == {"good": ("succeeded", 0), "asking": ("failed", 6)}


def test_a_rollback_that_fails_needs_a_person(project: ScriptedProject) -> None:
    project.service("good", "deployment arn; exit 0", rollback="exit 3")
    project.service("bad", "exit 4", after=("good",))
    deploys = project.deploy_all("rollback", as_json=True)
    ended = deploys.run()
    with pytest.raises(ServicesFailed, match="good: not rolled back, bad: failed") as failure:
        deploys.show(ended)
    assert failure.value.exit_code == 5


def test_the_result_lists_each_service(project: ScriptedProject) -> None:
    project.service("a", "deployment arn; exit 0")
    deploys = project.deploy_all(as_json=True)
    deploys.show(deploys.run())
    events = [json.loads(line) for line in project.out.getvalue().splitlines()]
    assert {each["told"] for each in events if each["event"] == "service"} == {"deployment", "result"}
    assert events[-1]["services"] == {"a": {"outcome": "succeeded", "exit_code": 0, "message": "deploy 0"}}
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("result", 0)


def test_each_failed_service_is_shown_with_its_causes_and_its_own_next_command(
    project: ScriptedProject,
) -> None:
    project.service("good", "exit 0")
    project.service("slow", "fail not healthy in time|target unhealthy: 503,log: boom|invoke watch")
    project.service("bad", "fail refused|secrets refused: missing|correct it")
    deploys = project.deploy_all("continue", as_json=True)
    ended = deploys.run()
    with pytest.raises(ServicesFailed) as failure:
        deploys.show(ended)
    assert failure.value.details == (
        "slow: not healthy in time",
        "  target unhealthy: 503",
        "  log: boom",
        "  changed: something",
        "  hint: invoke watch",
        "bad: refused",
        "  secrets refused: missing",
        "  changed: something",
        "  hint: correct it",
    )
    assert ended["slow"].document()["details"] == ["target unhealthy: 503", "log: boom"]


def test_a_killed_deploy_needs_a_person(project: ScriptedProject) -> None:
    project.service("a", "die")
    assert project.run() == {"a": ("killed", 5)}


def test_only_the_named_services_are_deployed(project: ScriptedProject) -> None:
    project.service("a", "exit 0")
    project.service("b", "exit 0")
    assert project.run(only=["b"]) == {"b": ("succeeded", 0)}


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.services.deploy_all import DeployAll
from samjhadoo_ops.services.worker_pool import WorkerPool
from samjhadoo_ops.tasks.task import _terminable, outcome
console = Console("json")
folder = Path.cwd()
with outcome(console), _terminable():
    pool = WorkerPool(folder, [sys.executable, "task.py"])
    DeployAll(load_environment("local", root=folder), console, arguments=[], pool=pool).run()
"""


def started(project: ScriptedProject) -> subprocess.Popen[str]:
    project.service("a", "write ready; stuck")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT / "src")],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (project.folder / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return parent


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_passed_on_and_every_deploy_is_awaited(
    project: ScriptedProject, signum: signal.Signals, code: int
) -> None:
    parent = started(project)
    parent.send_signal(signum)
    output, _ = parent.communicate(timeout=60)
    result = json.loads(output.splitlines()[-1])
    assert (result["event"], result["exit_code"]) == ("result", code)
    assert result["services"]["a"]["exit_code"] == code


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
def test_when_the_deploy_of_all_is_killed_each_is_asked_to_end(project: ScriptedProject) -> None:
    parent = started(project)
    parent.kill()
    # The pipe closes when the last one that holds it has ended.
    output, _ = parent.communicate(timeout=60)
    assert os.path.exists(project.folder / "journal")  # noqa: PTH110 - it did begin
    assert isinstance(output, str)
