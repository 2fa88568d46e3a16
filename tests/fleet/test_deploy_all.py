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
from samjhadoo_ops.fleet.crew import Crew
from samjhadoo_ops.fleet.deploy import DeployAll, ServicesFailed

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
# A verb that says what its script tells it to: events, `exit CODE`, `until FILE`, `write FILE`, `stuck`.
VERB = """
import json, os, signal, sys, time
verb, service = sys.argv[1], sys.argv[sys.argv.index("--service") + 1]
def say(event, **fields): print(json.dumps({"event": event, **fields}), flush=True)
def end(code):
    say("result", outcome="succeeded" if code == 0 else "failed", exit_code=code, message=f"{verb} {code}")
    sys.exit(code)
signal.signal(signal.SIGTERM, lambda *_: end(143))
signal.signal(signal.SIGINT, lambda *_: end(130))
with open("journal", "a") as journal:
    print(verb, service, *sys.argv[5:], file=journal)
for step in open(f"{verb}-{service}").read().split(";"):
    word, _, rest = step.strip().partition(" ")
    if word == "exit": end(int(rest))
    if word == "say": say(rest, message=rest)
    if word == "deployment": say("deployment", deployment=rest)
    if word == "write": open(rest, "w").close()
    if word == "die": os.kill(os.getpid(), signal.SIGKILL)
    if word == "noise": print("not JSON", flush=True)
    while word == "until" and not os.path.exists(rest): time.sleep(0.01)
    while word == "stuck": time.sleep(0.01)
"""


class Place:
    """A project whose verbs are scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out, self.err = io.StringIO(), io.StringIO()
        shutil.copytree(ROOT / "environments", folder / "environments")
        (folder / "verb.py").write_text(VERB)
        self._count = 0

    def service(
        self, name: str, deploy: str, *, after: tuple[str, ...] = (), rollback: str = "exit 0"
    ) -> None:
        self._count += 1
        with (self.folder / "environments" / "local.toml").open("a") as file:
            file.write(SERVICE.format(name=name, after=json.dumps(after), port=900 + self._count))
        (self.folder / f"deploy-{name}").write_text(deploy)
        (self.folder / f"rollback-{name}").write_text(rollback)

    def fleet(self, policy: str = "stop", *, as_json: bool = False, **options: Any) -> DeployAll:
        variables = {"SAMJHADOO_ROLLOUT__ON_FAILURE": policy}
        env = load_environment("local", root=self.folder, variables=variables)
        console = Console("json" if as_json else "lines", out=self.out, err=self.err)
        crew = Crew(self.folder, [sys.executable, "verb.py"])
        return DeployAll(env, console, arguments=["--until=done"], crew=crew, **options)

    def run(self, policy: str = "stop", **options: Any) -> dict[str, Any]:
        ended = self.fleet(policy, **options).run()
        return {name: (each.outcome, each.code) for name, each in ended.items()}

    @property
    def journal(self) -> list[str]:
        return [" ".join(line.split()[:2]) for line in (self.folder / "journal").read_text().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_all_are_deployed_in_their_order_and_told_with_their_names(place: Place) -> None:
    place.service("web", "say hello; exit 0", after=("api",))
    place.service("api", "noise; exit 0")
    fleet = place.fleet()
    fleet.show(fleet.run())
    assert place.journal == ["deploy api", "deploy web"]
    assert "web: hello" in place.err.getvalue()
    assert "api: not JSON" in place.err.getvalue()
    assert "deployed, or as they should be: web, api" in place.out.getvalue()


def test_they_run_side_by_side(place: Place) -> None:
    place.service("a", "write a; until b; exit 0")
    place.service("b", "write b; until a; exit 0")
    assert place.run() == {"a": ("succeeded", 0), "b": ("succeeded", 0)}


def test_stop_lets_those_that_run_end_and_starts_no_other(place: Place) -> None:
    place.service("bad", "until began; exit 4")
    place.service("good", "write began; deployment g; exit 0")
    place.service("late", "exit 0", after=("good", "bad"))
    assert place.run() == {"bad": ("failed", 4), "good": ("succeeded", 0), "late": ("not started", None)}
    assert "deploy late" not in place.journal


def test_continue_deploys_what_does_not_come_after_the_failed_one(place: Place) -> None:
    place.service("bad", "exit 4")
    place.service("late", "exit 0", after=("bad",))
    place.service("other", "exit 0")
    assert place.run("continue") == {
        "bad": ("failed", 4),
        "late": ("not started", None),
        "other": ("succeeded", 0),
    }


def test_rollback_takes_back_what_succeeded_the_last_first(place: Place) -> None:
    place.service("a", "deployment arn-a; exit 0")
    place.service("b", "deployment arn-b; exit 0", after=("a",))
    place.service("same", "exit 0", after=("b",))
    place.service("bad", "exit 4", after=("same",))
    back = ("rolled back", 4)
    assert place.run("rollback") == {"a": back, "b": back, "same": ("succeeded", 0), "bad": ("failed", 4)}
    assert place.journal[-2:] == ["rollback b", "rollback a"]
    assert "--deployment arn-b" in (place.folder / "journal").read_text()


def test_rollback_stops_a_deployment_that_runs(place: Place) -> None:
    place.service("bad", "until began; exit 4")
    place.service(
        "good", "deployment arn; write began; until stopped; exit 4", rollback="write stopped; exit 0"
    )
    assert place.run("rollback") == {"bad": ("failed", 4), "good": ("rolled back", 4)}


def test_rollback_ends_a_deploy_that_has_started_no_deployment_yet(place: Place) -> None:
    place.service("bad", "until began; exit 3")
    place.service("good", "write began; stuck")
    assert place.run("rollback") == {"bad": ("failed", 3), "good": ("failed", 143)}
    assert "rollback good" not in place.journal


def test_what_waits_for_a_person_takes_nothing_back(place: Place) -> None:
    place.service("good", "deployment arn; exit 0")
    place.service("asking", "deployment arn-2; exit 6", after=("good",))
    assert place.run("rollback") == {"good": ("succeeded", 0), "asking": ("failed", 6)}


def test_a_rollback_that_fails_needs_a_person(place: Place) -> None:
    place.service("good", "deployment arn; exit 0", rollback="exit 3")
    place.service("bad", "exit 4", after=("good",))
    fleet = place.fleet("rollback", as_json=True)
    ended = fleet.run()
    with pytest.raises(ServicesFailed, match="good: not rolled back, bad: failed") as failure:
        fleet.show(ended)
    assert failure.value.exit_code == 5


def test_the_result_tells_each_service(place: Place) -> None:
    place.service("a", "deployment arn; exit 0")
    fleet = place.fleet(as_json=True)
    fleet.show(fleet.run())
    events = [json.loads(line) for line in place.out.getvalue().splitlines()]
    assert {each["told"] for each in events if each["event"] == "service"} == {"deployment", "result"}
    assert events[-1]["services"] == {"a": {"outcome": "succeeded", "exit_code": 0, "message": "deploy 0"}}
    assert (events[-1]["event"], events[-1]["exit_code"]) == ("result", 0)


def test_a_killed_deploy_needs_a_person(place: Place) -> None:
    place.service("a", "die")
    assert place.run() == {"a": ("killed", 5)}


def test_only_some_are_deployed_when_it_is_said_so(place: Place) -> None:
    place.service("a", "exit 0")
    place.service("b", "exit 0")
    assert place.run(only=["b"]) == {"b": ("succeeded", 0)}


PARENT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.fleet.crew import Crew
from samjhadoo_ops.fleet.deploy import DeployAll
from samjhadoo_ops.tasks.task import _terminable, outcome
console = Console("json")
folder = Path.cwd()
with outcome(console), _terminable():
    crew = Crew(folder, [sys.executable, "verb.py"])
    DeployAll(load_environment("local", root=folder), console, arguments=[], crew=crew).run()
"""


def started(place: Place) -> subprocess.Popen[str]:
    place.service("a", "write ready; stuck")
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(ROOT / "src")], cwd=place.folder, stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (place.folder / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return parent


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_is_passed_on_and_everybody_is_waited_for(
    place: Place, signum: signal.Signals, code: int
) -> None:
    parent = started(place)
    parent.send_signal(signum)
    output, _ = parent.communicate(timeout=60)
    result = json.loads(output.splitlines()[-1])
    assert (result["event"], result["exit_code"]) == ("result", code)
    assert result["services"]["a"]["exit_code"] == code


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs PR_SET_PDEATHSIG")
def test_when_the_deploy_of_all_is_killed_each_is_asked_to_end(place: Place) -> None:
    parent = started(place)
    parent.kill()
    # The pipe closes when the last one that holds it has ended.
    output, _ = parent.communicate(timeout=60)
    assert os.path.exists(place.folder / "journal")  # noqa: PTH110 - it did begin
    assert isinstance(output, str)
