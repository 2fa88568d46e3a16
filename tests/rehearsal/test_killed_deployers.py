"""Done-when 2: a deployer killed at any moment leaves nothing behind that a resume, or ECS, won't end.

Each deploy is a user's process in a process group of its own, killed with SIGKILL at a random moment; then
it is resumed, or left to ECS's own time-outs. The moments are seeded: `SAMJHADOO_SEED=7 nox -s kills`.
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually
from user_project import CLUSTER, SERVICE, user_project

if TYPE_CHECKING:
    from collections.abc import Iterator

    from user_project import UserProject

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


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserProject]:
    """A project whose first release serves."""
    with user_project(tmp_path_factory.mktemp("killed"), variables=SETTINGS) as found:
        first = found.invoke("deploy")
        assert first.code == 0, first.stderr
        yield found


def status(project: UserProject) -> dict[str, Any]:
    """Return what `invoke status` shows."""
    shown = project.invoke("status", "--json")
    assert shown.code == 0, shown.stderr
    return shown.events[0]


def killed_after(project: UserProject, seconds: float) -> str:
    """Start a deploy, kill its process group after some seconds, and return its last message."""
    process = project.start("deploy", "--json")
    time.sleep(seconds)
    ended = process.poll() is not None
    if not ended:
        os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate(timeout=60)
    last = [json.loads(line) for line in output.splitlines() if line.startswith("{")][-1:]
    return f"{'ended' if ended else 'killed'} at {last[0]['event'] if last else 'nothing'}"


def wait_for_ecs(project: UserProject) -> None:
    """Wait until ECS has ended what is going on, by itself."""

    def over() -> bool:
        return {brief["status"] for brief in project.deployments()[:3]} <= {*ENDED_SAFELY, "STOPPED"}

    eventually(over, within=120)


def test_a_deployer_killed_at_any_moment_ends_in_one_consistent_release(project: UserProject) -> None:
    chosen = random.Random(SEED)
    table = []
    for number in range(KILLS):
        project.change()
        before = len(project.deployments())
        moment = chosen.uniform(0.3, LONGEST)
        message = killed_after(project, moment)
        if number % LEFT_TO_ECS == LEFT_TO_ECS - 1:
            wait_for_ecs(project)
            how = "left to ECS"
        else:
            resumed = project.invoke("deploy", "--resume", "--json")
            result = resumed.result
            how = f"resumed: {result['outcome']}"
            never_begun = resumed.code == 3 and "was started" in result["message"]
            assert resumed.code in {0, 4} or never_begun, (number, moment, message, result)
            assert status(project)["lock"] == "", number
        table.append(f"{number:2}  {moment:5.1f} s  {message:28}  {how}")
        print(table[-1], flush=True)  # noqa: T201
        assert len(project.deployments()) - before <= 1, "deployed twice"
        consistent(project)
    # The next deploy records what was left to ECS.
    project.change()
    last = project.invoke("deploy", "--json")
    assert last.code == 0, last.result
    history = project.invoke("history", "--limit", "100", "--json")
    unfinished = [event for event in history.events if event.get("outcome") == "unfinished"]
    assert unfinished == [], unfinished


def consistent(project: UserProject) -> None:
    """Check that one release serves alone."""
    newest = project.deployments()[0]
    assert newest["status"] in ENDED_SAFELY, newest
    service = project.client("ecs").describe_services(cluster=CLUSTER, services=[SERVICE])["services"][0]
    assert len(service["currentServiceRevisions"]) == 1, service
    seen = status(project)
    assert sorted(share for share in seen["traffic"].values() if share) == [100.0], seen
    serving = set()
    for _ in range(20):
        with urllib.request.urlopen(f"{seen['production']}/api/v1/version", timeout=10) as answer:
            serving.add(json.load(answer)["version"])
    assert len(serving) == 1, serving
