from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.database import Inspection
from samjhadoo_ops.deployment.differences import Difference
from samjhadoo_ops.deployment.gates.gate import Finding, Overrides, State
from samjhadoo_ops.deployment.plan import DeployPlan
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import Refused
from samjhadoo_ops.release.image import BuiltImage
from samjhadoo_ops.tasks.plan import show_before_asking
from samjhadoo_ops.tasks.session import Session

ENV = load_environment("production", variables={})
FACTS = SimpleNamespace(first=False, env=ENV, scaled=False, service={})
GOOD = DeployPlan(
    facts=cast("Any", FACTS),
    image=BuiltImage("v2", "v2", "registry/backend", "sha256:2", reused=True),
    inspection=Inspection("2", (), ()),
    task_definition=(Difference("containerDefinitions[backend].image", "v1", "v2"),),
    configuration=(),
    findings={"window": Finding(State.OK, "open")},
)
CLOSED = replace(GOOD, findings={"window": Finding(State.REFUSED, "it opens on Monday")})


@pytest.fixture
def session() -> Session:
    made = Session(ENV, Console(out=io.StringIO()), Clock(), "", "")
    made.__dict__["context"] = None  # the value of its cached property
    return made


def planned(monkeypatch: pytest.MonkeyPatch, plan: DeployPlan) -> None:
    monkeypatch.setattr("samjhadoo_ops.deployment.plan.make_plan", lambda *_, **__: plan)


@pytest.mark.parametrize(("plan", "waits"), [(GOOD, False), (GOOD, True), (CLOSED, True)])
def test_who_has_to_confirm_a_deploy_sees_its_plan_and_no_result(
    session: Session, monkeypatch: pytest.MonkeyPatch, plan: DeployPlan, waits: bool
) -> None:
    planned(monkeypatch, plan)
    show_before_asking([session], Overrides(), waits=waits)
    shown = session.console.out.getvalue()
    assert shown.startswith("release v2\n")
    assert "containerDefinitions[backend].image: v1 -> v2" in shown
    assert not session.console.finished


def test_nobody_is_asked_to_confirm_what_a_gate_refuses(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(monkeypatch, CLOSED)
    with pytest.raises(Refused, match="refused before anything was deployed: window") as refusal:
        show_before_asking([session], Overrides())
    assert "it opens on Monday" in "".join(refusal.value.details)
    assert session.console.out.getvalue() == ""
