"""What a deploy makes of a container that is killed under it: the stack's servers, and a task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.engine import STACK, leftovers
from user_project import CLUSTER, QUICK, SERVICE, TIMEOUT, canary, user_project

pytestmark = pytest.mark.containers


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, engine: Any) -> Any:
    """A project on a stack of containers, whose first release is deployed."""
    variables = {**QUICK, "SAMJHADOO_STACK": "containers"}
    with user_project(tmp_path_factory.mktemp("killed"), variables=variables) as project:
        first = project.invoke("deploy")
        assert first.code == 0, first.stderr
        yield project


def start_and_reach_the_canary(project: Any, change: str) -> Any:
    project.change(change)
    deploying = project.start("deploy", "--json", **canary("15m"))

    def in_canary() -> bool:
        assert deploying.poll() is None, deploying.communicate()
        return project.share_of_the_target() == 10

    eventually(in_canary, within=TIMEOUT)
    return deploying


def ended(deploying: Any) -> tuple[int, dict[str, Any]]:
    stdout, _ = deploying.communicate(timeout=TIMEOUT)
    return deploying.returncode, json.loads(stdout.splitlines()[-1])


def test_a_killed_task_is_replaced_and_the_release_goes_out(deployed: Any, engine: Any) -> None:
    stack = deployed.state()["id"]

    def containers() -> list[Any]:
        found = engine.containers.list(filters={"label": f"{STACK}={stack}"}, ignore_removed=True)
        return [each for each in found if "-pause-" not in each.name]

    before = {each.id for each in containers()}
    deploying = start_and_reach_the_canary(deployed, "LABEL killed=task")
    new = [each for each in containers() if each.id not in before]
    assert len(new) == 2
    new[0].kill()
    code, result = ended(deploying)
    assert (code, result["outcome"]) == (0, "succeeded"), result
    running = deployed.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    assert running["runningCount"] == 2


def kill(engine: Any, state: dict[str, Any], victim: str) -> None:
    engine.containers.get(next(each["id"] for each in state["containers"] if each["name"] == victim)).kill()


def expect_a_person(deploying: Any, engine: Any, state: dict[str, Any], victim: str) -> None:
    code, result = ended(deploying)
    assert (code, result["exit_code"]) == (5, 5), json.dumps(result)
    assert f"the stack's container {victim}" in "\n".join([result["message"], *result["details"]]), result
    eventually(lambda: not leftovers(engine, {STACK: state["id"]}))


def test_a_server_killed_in_the_canary_ends_the_stack_and_the_deploy_says_that_a_person_is_needed(
    deployed: Any, engine: Any
) -> None:
    deploying = start_and_reach_the_canary(deployed, "LABEL killed=postgres")
    state = deployed.state()
    kill(engine, state, "postgres")
    expect_a_person(deploying, engine, state, "postgres")


@pytest.mark.parametrize("victim", ["redis", "localstack"])
def test_so_does_a_server_that_is_killed_in_the_first_deploy_of_a_stack(
    deployed: Any, engine: Any, victim: str
) -> None:
    deployed.invoke("stack.down")
    deploying = deployed.start("deploy", "--json")

    def tasks_start() -> bool:
        assert deploying.poll() is None, deploying.communicate()
        return deployed.has_stack() and bool(deployed.client("ecs").list_tasks(cluster=CLUSTER)["taskArns"])

    eventually(tasks_start, within=TIMEOUT)
    state = deployed.state()
    kill(engine, state, victim)
    expect_a_person(deploying, engine, state, victim)
