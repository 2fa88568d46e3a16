from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops.database import Inspection, Migration
from samjhadoo_ops.deployment.differences import Difference
from samjhadoo_ops.deployment.plan import DeployPlan, lines
from samjhadoo_ops.release.image import BuiltImage

IMAGE = BuiltImage("v2", "v2", "registry/backend", "sha256:2", reused=True)
CHANGED = (Difference("containerDefinitions.[backend].image", "v1", "v2"),)
CALLBACK = Migration("", "afterMigrate", "afterMigrate", "sql/afterMigrate.sql")
PENDING = Inspection("2", (Migration("3", "more", "Pending", "sql/V3__more.sql"),), ())
CALLBACKS = Inspection("2", (), (), callbacks=(CALLBACK,))
UNCHANGED = DeployPlan(
    facts=cast("Any", SimpleNamespace(first=False)),
    image=IMAGE,
    inspection=Inspection("2", (), ()),
    task_definition=(),
    configuration=(),
)


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        pytest.param({}, (), id="nothing-to-do"),
        pytest.param({"task_definition": CHANGED}, ("push", "register", "start"), id="another-release"),
        pytest.param(
            {"task_definition": CHANGED, "must_build": True},
            ("build", "push", "register", "start"),
            id="to-be-built",
        ),
        pytest.param({"inspection": PENDING}, ("push", "migrate", "register", "start"), id="migration"),
        pytest.param({"inspection": CALLBACKS}, ("migrate",), id="only-callbacks"),
        pytest.param(
            {"inspection": CALLBACKS, "task_definition": CHANGED},
            ("push", "migrate", "register", "start"),
            id="callbacks-of-another-release",
        ),
    ],
)
def test_a_plan_has_the_steps_that_its_changes_need(changes: dict[str, Any], steps: tuple[str, ...]) -> None:
    plan = replace(UNCHANGED, **changes)
    assert plan.steps == steps
    assert lines(plan)[1:3] == ["steps:", f"  {', '.join(steps) or 'none'}"]
