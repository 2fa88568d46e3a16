"""What a deploy makes of a container that is killed under it: the stack's servers, and a task."""

from __future__ import annotations

import json
from typing import Any

import pytest

from samjhadoo_ops.engine import STACK, leftovers
from samjhadoo_ops.testing import eventually

pytestmark = pytest.mark.containers
CLUSTER, SERVICE = "samjhadoo-cluster", "samjhadoo-service"


@pytest.fixture(scope="module")
def deployed(make_project: Any, engine: Any) -> Any:
    """A project on a stack of containers, whose first release is deployed."""
    project = make_project()
    first = project.invoke("deploy", SAMJHADOO_STACK="containers")
    assert first.code == 0, first.stderr
    return project


def start_and_reach_the_canary(project: Any, change: str) -> Any:
    project.change(change)
    deploying = project.start("deploy", "--json", SAMJHADOO_STACK="containers")

    def in_canary() -> bool:
        assert deploying.poll() is None, deploying.communicate()
        return project.share_of_the_target() == 10

    eventually(in_canary, within=120)
    return deploying


def ended(deploying: Any) -> tuple[int, dict[str, Any]]:
    stdout, _ = deploying.communicate(timeout=240)
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


@pytest.mark.parametrize("victim", ["postgres", "redis", "localstack"])
def test_a_killed_server_ends_the_stack_and_the_deploy_says_that_a_person_is_needed(
    deployed: Any, engine: Any, victim: str
) -> None:
    deployed.clients.clear()  # of the stack before
    again = deployed.invoke("deploy", "--json", SAMJHADOO_STACK="containers")
    assert again.code == 0, again.stdout + again.stderr
    state = deployed.state()
    deploying = start_and_reach_the_canary(deployed, f"LABEL killed={victim}")
    killed = next(each["id"] for each in state["containers"] if each["name"] == victim)
    engine.containers.get(killed).kill()
    code, result = ended(deploying)
    assert (code, result["exit_code"]) == (5, 5), result
    assert f"the stack's container {victim}" in "\n".join([result["message"], *result["details"]]), result
    eventually(lambda: not leftovers(engine, {STACK: state["id"]}))
