from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import pytest
from deployment_fakes import begun_run

from samjhadoo_ops.database import Inspection, Migration, Schema, SchemaState
from samjhadoo_ops.deployment import deploy
from samjhadoo_ops.deployment.deploy import Deploy, Prepared
from samjhadoo_ops.deployment.differences import Difference
from samjhadoo_ops.deployment.plan import DeployPlan
from samjhadoo_ops.release.image import BuiltImage

if TYPE_CHECKING:
    from pathlib import Path

    from deployment_fakes import MemoryObjects

INSPECTION = Inspection("2", (), ())
CHANGED = (Difference("containerDefinitions.[backend].image", "v1", "v2"),)


def prepared(*changes: Difference) -> Prepared:
    return settled(changes)


def settled(changes: tuple[Difference, ...], **plan: Any) -> Prepared:
    facts = cast("Any", SimpleNamespace(first=False, load_balancing="balancer"))
    image = BuiltImage("v2", "v2", "registry/backend", "sha256:2", reused=True)
    return Prepared(DeployPlan(facts, image, INSPECTION, changes, (), **plan), None, INSPECTION)


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


@pytest.mark.parametrize("changes", [(), CHANGED])
def test_callbacks_run_with_each_deploy_even_when_nothing_else_changes(
    objects: MemoryObjects, taken: list[str], tmp_path: Path, changes: tuple[Difference, ...]
) -> None:
    path = tmp_path / "afterMigrate.sql"
    path.write_text("SELECT 1;")
    callback = Migration("", "afterMigrate", "afterMigrate", str(path))
    schema = Mock(spec=Schema)
    schema.migrate.return_value = SchemaState("2")
    known = prepared(*changes)
    inspection = replace(INSPECTION, callbacks=(callback,))
    plan = replace(known.plan, inspection=inspection)
    run = begun_run(objects)
    Deploy(run)._carry_out(run, replace(known, plan=plan, schema=schema, inspection=inspection))
    schema.migrate.assert_called_once_with(inspection)
    (entry,) = run.journal.entries()
    assert entry.last("migrating").data["pending"] == ["afterMigrate.sql"]
    assert taken == (["push", "register", "start"] if changes else [])


def test_settings_of_the_service_are_set_without_a_deployment_and_recorded_before_and_after(
    objects: MemoryObjects, taken: list[str]
) -> None:
    sent: list[dict[str, Any]] = []
    ecs = SimpleNamespace(configure=lambda **settings: sent.append(settings))
    run = begun_run(objects, ecs=ecs)
    plan = settled((), settings={"desiredCount": 3}, service=(Difference("desiredCount", 2, 3),))
    ended = Deploy(run)._carry_out(run, plan)
    (entry,) = run.journal.entries()
    assert (sent, taken) == ([{"desiredCount": 3}], [])
    assert [event.event for event in entry.events] == ["started", "schema", "updating", "updated", "finished"]
    assert (ended.outcome, entry.outcome) == ("updated", "updated")
    assert run.changes == ["service: ~ desiredCount: 2 -> 3"]
    assert "its service was updated" in ended.sentence("https://production")


def test_a_deployment_takes_the_settings_of_the_service_along(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, taken: list[str]
) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(deploy, "roll_out", lambda *_, **known: given.update(known))
    run = begun_run(objects)
    Deploy(run)._carry_out(run, settled(CHANGED, settings={"desiredCount": 3}))
    assert given["settings"] == {"desiredCount": 3}
    assert taken == ["push", "register"]
