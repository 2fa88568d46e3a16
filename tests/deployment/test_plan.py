from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops.database import Inspection, Migration
from samjhadoo_ops.deployment.differences import Difference
from samjhadoo_ops.deployment.gates.gate import unknown
from samjhadoo_ops.deployment.plan import DeployPlan, for_people, lines
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.release.image import BuiltImage

IMAGE = BuiltImage("v2", "v2", "registry/backend", "sha256:2", reused=True)
CHANGED = (Difference("containerDefinitions.[backend].image", "v1", "v2"),)
CALLBACK = Migration("", "afterMigrate", "afterMigrate", "sql/afterMigrate.sql")
PENDING = Inspection("2", (Migration("3", "more", "Pending", "sql/V3__more.sql"),), ())
CALLBACKS = Inspection("2", (), (), callbacks=(CALLBACK,))
ENV = load_environment("local", variables={})
SERVICE = {"desiredCount": 2, "deploymentConfiguration": {}}
FACTS = SimpleNamespace(first=False, env=ENV, scaled=False, service=SERVICE)
COUNT, NETWORK = {"desiredCount": 3}, {"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s-1"]}}}
UNCHANGED = DeployPlan(
    facts=cast("Any", FACTS),
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
        pytest.param({"settings": COUNT, "service": CHANGED}, ("update",), id="number-of-tasks"),
        pytest.param(
            {"settings": {**COUNT, **NETWORK}, "service": CHANGED},
            ("push", "register", "start"),
            id="another-network",
        ),
        pytest.param({"configuration": CHANGED}, (), id="only-how-it-would-be-deployed"),
        pytest.param({"inspection": PENDING}, ("push", "migrate", "register", "start"), id="migration"),
        pytest.param({"inspection": CALLBACKS}, ("migrate",), id="only-callbacks"),
        pytest.param(
            {"inspection": CALLBACKS, "settings": COUNT, "service": CHANGED},
            ("migrate", "update"),
            id="callbacks-and-number-of-tasks",
        ),
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


NO_SCHEMA = {"inspection": None, "findings": {"migrations": unknown("the database cannot be reached")}}


@pytest.mark.parametrize(
    ("changes", "facts", "shown", "summary"),
    [
        pytest.param({}, {}, "service: no change", "nothing would change", id="nothing"),
        pytest.param(
            {"settings": COUNT, "service": (Difference("desiredCount", 2, 3),)},
            {},
            "~ desiredCount: 2 -> 3",
            "only the service's settings would change",
            id="number-of-tasks",
        ),
        pytest.param(
            {},
            {"scaled": True, "service": {"desiredCount": 7}},
            "desiredCount: stays 7, as auto scaling decides it (service.desired_count is 2)",
            "nothing would change",
            id="auto-scaling",
        ),
        pytest.param(
            {"configuration": CHANGED},
            {},
            "1 value differs from the settings; a deployment sets that, and none would start",
            "nothing would change",
            id="deployment-configuration",
        ),
        pytest.param(
            NO_SCHEMA,
            {},
            "not known: the database cannot be reached",
            "nothing would change; pending migrations are not known",
            id="schema-unknown",
        ),
        pytest.param(
            {**NO_SCHEMA, "settings": COUNT, "service": CHANGED},
            {},
            "not known: the database cannot be reached",
            "only the service's settings would change; pending migrations are not known",
            id="schema-unknown-and-settings",
        ),
    ],
)
def test_a_plan_never_lists_a_difference_and_ends_with_nothing_would_change(
    changes: dict[str, Any], facts: dict[str, Any], shown: str, summary: str
) -> None:
    known = SimpleNamespace(**{**vars(FACTS), **facts})
    plan = replace(UNCHANGED, **changes, facts=cast("Any", known))
    assert shown in "\n".join(for_people(plan))
    assert shown in "\n".join(line for line in lines(plan)) or shown == "service: no change"
    assert plan.summary == f"release v2 is deployed already: {summary}"
    listed = any(line.lstrip().startswith(("~", "+", "-")) for line in for_people(plan))
    assert listed == bool(plan.changes)
