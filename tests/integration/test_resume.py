"""Deployers that are killed or return early, and the runs that continue their deployments."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from user_project import events_until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable


def kill_at(process: subprocess.Popen[str], holds: Callable[[dict[str, Any]], bool]) -> None:
    """Read a task's events up to one, and kill it then."""
    events_until(process, holds)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def phase(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event.get("phase") == name


def is_event(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda event: event["event"] == name


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(is_event("deploy"), id="before-the-push"),
        pytest.param(phase("SCALING_UP"), id="while-tasks-start"),
        pytest.param(phase("CANARY"), id="in-the-canary"),
    ],
)
def test_a_killed_deploy_is_resumed_without_unlock_and_deployed_once(
    project: Any, moment: Callable[[dict[str, Any]], bool]
) -> None:
    sha = project.change("ENV CHANGED=1")
    before = len(project.deployments())
    kill_at(project.start("deploy", "--json"), moment)
    resumed = project.invoke("deploy", "--resume", "--json")
    assert (resumed.code, resumed.result["outcome"], resumed.result["release"]) == (0, "succeeded", sha)
    assert len(project.deployments()) == before + 1
    assert project.invoke("status", "--json").events[0]["lock"] == ""
    again = project.invoke("deploy", "--resume", "--json")
    assert (again.code, again.result["outcome"], again.result["release"]) == (0, "succeeded", sha)
    project.restore()


def test_resuming_a_deploy_that_never_began_does_not_tell_of_the_one_before(project: Any) -> None:
    sha = project.change("ENV CHANGED=never-begun")
    kill_at(project.start("deploy", "--json"), is_event("step"))
    resumed = project.invoke("deploy", "--resume", "--json")
    assert (resumed.code, resumed.result["outcome"]) == (3, "refused")
    assert sha in resumed.result["message"]
    assert project.invoke("status", "--json").events[0]["lock"] == ""  # the killed run's is gone
    project.restore()


def test_a_deploy_is_left_at_the_canary_and_at_the_bake_and_watched_to_its_end(project: Any) -> None:
    sha = project.change("ENV CHANGED=2")
    left = project.invoke("deploy", "--until", "canary", "--json")
    assert (left.code, left.result["outcome"]) == (0, "canary")
    assert left.result["seconds_left"] > 0
    assert left.result["reattach"] == f"invoke watch --env local --deploy {left.result['deploy']}"
    calls = left.result["aws_calls"]
    assert calls["total"] == sum(count for service, count in calls.items() if service != "total")

    refused = project.invoke("deploy", "--json")
    assert (refused.code, refused.result["outcome"]) == (3, "refused")
    assert f"invoke deploy --resume {left.result['deploy']}" in refused.result["hint"]
    assert "invoke rollback" in refused.result["hint"]

    baking = project.invoke("watch", "--until", "bake", "--json")
    assert (baking.code, baking.result["outcome"]) == (0, "baking")
    done = project.invoke("watch", "--deploy", left.result["deploy"], "--json")
    assert (done.code, done.result["outcome"], done.result["release"]) == (0, "succeeded", sha)
    project.restore()


def test_what_ecs_rolled_back_while_nobody_watched_is_told_by_its_exit_code_and_recorded(
    project: Any,
) -> None:
    project.change("ENV CHANGED=3")
    kill_at(project.start("deploy", "--json"), phase("CANARY"))
    newest = project.deployments()[0]["serviceDeploymentArn"]
    project.client("ecs").stop_service_deployment(serviceDeploymentArn=newest, stopType="ROLLBACK")
    watched = project.invoke("watch", "--json")
    assert (watched.code, watched.result["outcome"]) == (4, "rolled_back")
    assert project.invoke("watch", "--json").code == 4
    rows = [event for event in project.invoke("history", "--json").events if event["event"] == "deployment"]
    assert [row["outcome"] for row in rows if row["outcome"] == "unfinished"] == []
    assert rows[0]["outcome"] == "rolled back"


def test_a_killed_deploy_is_taken_back_at_once_and_its_ending_recorded(project: Any) -> None:
    project.change("ENV CHANGED=4")
    kill_at(project.start("deploy", "--json"), phase("CANARY"))
    back = project.invoke("rollback", "--json")
    assert (back.code, back.result["how"]) == (0, "stopped")
    rows = [event for event in project.invoke("history", "--json").events if event["event"] == "deployment"]
    assert [row["outcome"] for row in rows if row["outcome"] == "unfinished"] == []
    resumed = project.invoke("deploy", "--resume", "--json")
    assert (resumed.code, resumed.result["outcome"]) == (4, "rolled_back")
