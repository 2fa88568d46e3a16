"""Deploys that are disturbed, on a stack of their own, as a user's processes."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.deployment.plan import make_plan
from samjhadoo_ops.deployment.run import ServiceContext
from user_project import canary, events_until, user_project

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment
    from user_project import UserProject

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
    "application-autoscaling",
)


def ended(process: subprocess.Popen[str]) -> int:
    """Wait for a task's end and return its exit code."""
    process.communicate(timeout=120)
    return process.returncode


def in_canary(event: dict[str, Any]) -> bool:
    # On a busy machine the canary may be at its gate before the deploy observes it again.
    return event.get("phase") in {"CANARY", "BEFORE_FULL"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserProject]:
    """A project whose first release serves."""
    with user_project(tmp_path_factory.mktemp("project")) as found:
        first = found.invoke("deploy")
        assert first.code == 0, first.stderr
        yield found


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


def test_the_number_of_tasks_is_brought_to_the_settings_without_a_deployment(project: UserProject) -> None:
    env = {"SAMJHADOO_SERVICE__DESIRED_COUNT": "3"}
    before = project.invoke("status", "--json").events[0]
    assert "~ desiredCount: 2 -> 3" in project.invoke("plan", **env).stdout
    deployed = project.invoke("deploy", "--json", **env)
    assert (deployed.code, deployed.result["outcome"]) == (0, "updated"), deployed.stderr
    after = project.invoke("status", "--json").events[0]
    assert (after["desired"], after["deployment"]) == (3, before["deployment"])
    assert project.invoke("deploy", "--json", **env).result["outcome"] == "unchanged"
    assert eventually(lambda: project.invoke("status", "--json").events[0]["running"] == 3)
    assert project.invoke("deploy", "--json").result["outcome"] == "updated"
    assert eventually(lambda: project.invoke("status", "--json").events[0]["running"] == 2)


def test_a_plan_calls_nothing_that_changes_anything(
    project: UserProject, monkeypatch: pytest.MonkeyPatch
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


def test_a_release_that_is_not_healthy_in_time_shows_how_far_its_tasks_had_come(project: UserProject) -> None:
    project.change("ENV FAULT_SLOW_START=120s")
    failed = project.invoke("deploy", "--json", SAMJHADOO_ROLLBACK__DEPLOYMENT_TIMEOUT="25m")
    project.restore()
    assert (failed.code, "(25 min emulated)" in failed.result["message"]) == (4, True), failed.stdout
    failure = failed.result["failure"]
    assert any("RUNNING for" in task or "PENDING for" in task for task in failure["starting"])
    assert any("unhealthy: " in target or "initial: " in target for target in failure["targets"])
    assert "deployment_timeout" in failed.result["hint"]


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
    project: UserProject, moment: Callable[[dict[str, Any]], bool], number: signal.Signals, code: int
) -> None:
    project.change()
    deploying = project.start("deploy", "--json", **canary("15m"))
    events_until(deploying, moment)
    deploying.send_signal(number)
    told = events_until(deploying, lambda event: event["event"] == "interrupted")
    assert told["phase"] in {"ROLLED_BACK", "ROLLING_BACK"}
    assert ended(deploying) == code
    assert project.invoke("status", "--json").events[0]["lock"] == ""
    newest = project.invoke("history", "--limit", "1", "--json").events[0]
    assert newest["outcome"].startswith("interrupted")


def test_by_policy_an_interrupted_deploy_is_left_to_ecs_and_can_still_be_rolled_back(
    project: UserProject,
) -> None:
    project.change()
    deploying = project.start("deploy", "--json", SAMJHADOO_ROLLBACK__ON_INTERRUPT="leave", **canary("15m"))
    events_until(deploying, in_canary)
    deploying.send_signal(signal.SIGINT)
    told = events_until(deploying, lambda event: event["event"] == "interrupted")
    assert "ECS rolls it back when they time out" in told["message"]
    assert ended(deploying) == 130
    back = project.invoke("rollback", "--json")
    assert (back.code, back.result["how"]) == (0, "stopped")
    assert back.result["restored"] < 10.0


def test_a_deploy_whose_aws_is_gone_needs_a_person_and_shows_what_is_known(project: UserProject) -> None:
    """The last test: it kills the stack's emulator."""
    project.change()
    deploying = project.start("deploy", "--json", **canary("15m"))
    events_until(deploying, in_canary)
    emulator = next(each for each in project.state()["processes"] if each["name"] == "emulator")
    os.kill(emulator["pid"], signal.SIGKILL)
    killed = time.monotonic()
    result = events_until(deploying, lambda event: event["event"] == "result")
    assert ended(deploying) == 5
    assert time.monotonic() - killed < 60
    assert result["exit_code"] == 5
    assert re.search(r"(canary|before full traffic), 10 %", result["changed"]), result
    assert "invoke status" in result["hint"]
