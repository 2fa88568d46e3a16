from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from deployment_fakes import begun_run

from samjhadoo_ops.database import Inspection
from samjhadoo_ops.deployment import deploy
from samjhadoo_ops.deployment.deploy import Deploy, Prepared
from samjhadoo_ops.deployment.differences import Difference
from samjhadoo_ops.deployment.plan import DeployPlan
from samjhadoo_ops.release.image import BuiltImage

if TYPE_CHECKING:
    from deployment_fakes import MemoryObjects

INSPECTION = Inspection("2", (), ())
CHANGED = (Difference("containerDefinitions.[backend].image", "v1", "v2"),)


def prepared(*changes: Difference) -> Prepared:
    facts = cast("Any", SimpleNamespace(first=False, load_balancing="balancer"))
    image = BuiltImage("v2", "v2", "registry/backend", "sha256:2", reused=True)
    return Prepared(DeployPlan(facts, image, INSPECTION, changes, ()), None, INSPECTION)


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the steps that a deploy takes; none of them does anything."""
    steps: list[str] = []

    def push(_run: Any, image: BuiltImage) -> Any:
        steps.append("push")
        return SimpleNamespace(tag=image.tag, digest=image.digest)

    def register(_run: Any, _image: Any) -> str:
        steps.append("register")
        return "family:8"

    def roll_out(_run: Any, task_definition: str, _balancing: Any, **known: str) -> str:
        steps.append("start")
        return f"{task_definition} {known['digest']}"

    monkeypatch.setattr(deploy, "_push", push)
    monkeypatch.setattr(deploy, "_register", register)
    monkeypatch.setattr(deploy, "roll_out", roll_out)
    monkeypatch.setattr(Deploy, "_ask_image", lambda *_: None)
    return steps


@pytest.mark.parametrize(
    ("recorded", "steps", "deployed"),
    [
        pytest.param([], ["push", "register", "start"], "family:8 sha256:2", id="nothing-yet"),
        pytest.param(["push"], ["register", "start"], "family:8 sha256:1", id="pushed"),
        pytest.param(["push", "register"], ["start"], "family:7 sha256:1", id="registered"),
    ],
)
def test_a_resumed_deploy_takes_the_steps_that_its_journal_does_not_have(
    objects: MemoryObjects, taken: list[str], recorded: list[str], steps: list[str], deployed: str
) -> None:
    run = begun_run(objects)
    results = {"push": {"release": "v2", "digest": "sha256:1"}, "register": {"task_definition": "family:7"}}
    for name in recorded:
        with run.step(name) as step:
            step.done(**results[name])
    (entry,) = run.journal.entries()
    assert Deploy(run)._carry_out(run, prepared(*CHANGED), entry) == deployed
    assert taken == steps


def test_a_deploy_that_changes_nothing_takes_no_step_and_is_recorded(
    objects: MemoryObjects, taken: list[str]
) -> None:
    run = begun_run(objects)
    ended = Deploy(run)._carry_out(run, prepared())
    (entry,) = run.journal.entries()
    assert (ended.outcome, entry.outcome, entry.data["exit_code"]) == ("unchanged", "unchanged", 0)
    assert entry.data["release"] == "v2"
    assert taken == []
