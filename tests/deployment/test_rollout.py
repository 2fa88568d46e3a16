from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops import checks
from samjhadoo_ops.checks import SmokeFailed
from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment import rollout
from samjhadoo_ops.deployment.outcome import PinnedDeployment
from samjhadoo_ops.deployment.rollout import expectation
from samjhadoo_ops.errors import PersonNeeded

RUN = cast(
    "Any",
    SimpleNamespace(
        clock=Clock(),
        policy=SimpleNamespace(canary_time=900.0, ends_within=12_000.0, rollback_within=600.0),
        env=SimpleNamespace(options="--env staging", deployment=SimpleNamespace(bake_time=3600)),
    ),
)


@pytest.mark.parametrize(
    ("kind", "all_at_once", "expected"),
    [
        pytest.param(
            "deploy",
            False,
            "waiting for ECS: about 75 min once the new tasks are healthy, at most 200 min; "
            "if this command is killed: invoke watch --env staging",
            id="canary",
        ),
        pytest.param(
            "rollback",
            True,
            "waiting for ECS: at most 200 min; if this command is killed: invoke watch --env staging",
            id="all-at-once",
        ),
        pytest.param(
            "stop",
            False,
            "waiting for ECS to roll back, at most 10 min; to follow it: invoke status --env staging",
            id="rollback",
        ),
    ],
)
def test_a_wait_shows_for_what_how_long_and_what_to_do(kind: str, all_at_once: bool, expected: str) -> None:
    assert expectation(RUN, PinnedDeployment("arn:d", kind, all_at_once=all_at_once)) == expected


@dataclass
class Calls:
    """Stands in for the checks of a release: notes which were made, and fails one of them."""

    fails: str = ""
    made: list[str] = field(default_factory=list)

    def make(self, name: str, url: str) -> None:
        self.made.append(f"{name} {url}")
        if name == self.fails:
            raise SmokeFailed(f"{url}: {name} fails")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    known = Calls()
    monkeypatch.setattr(checks, "smoke", lambda _env, url, **_: known.make("smoke", url))
    monkeypatch.setattr(checks, "payments", lambda _env, _aws, url: known.make("payments", url))
    return known


def deployed(strategy: str) -> Any:
    return SimpleNamespace(
        env=SimpleNamespace(deployment=SimpleNamespace(strategy=strategy)),
        aws=None,
        clock=Clock(),
        production="https://production",
        changed=lambda: "deployment d started",
        seconds={},
    )


@pytest.mark.parametrize(
    ("strategy", "first", "made"),
    [
        ("CANARY", False, ["smoke https://production"]),
        ("CANARY", True, ["smoke https://production", "payments https://production"]),
        ("ROLLING", False, ["smoke https://production", "payments https://production"]),
        ("ROLLING", True, ["smoke https://production", "payments https://production"]),
    ],
)
def test_a_release_that_could_not_be_tested_before_gets_every_check_afterwards(
    calls: Calls, strategy: str, first: bool, made: list[str]
) -> None:
    pinned = PinnedDeployment("arn:d", all_at_once=first, first=first)
    rollout._check_production(deployed(strategy), pinned)
    assert calls.made == made


@pytest.mark.parametrize("fails", ["smoke", "payments"])
def test_a_first_release_that_fails_a_check_needs_a_person(calls: Calls, fails: str) -> None:
    calls.fails = fails
    pinned = PinnedDeployment("arn:d", all_at_once=True, first=True)
    with pytest.raises(PersonNeeded, match=f"{fails} fails") as raised:
        rollout._check_production(deployed("CANARY"), pinned)
    assert raised.value.changed == "deployment d started"
    assert "correct the release" in raised.value.hint
