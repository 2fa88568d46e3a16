from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.outcome import PinnedDeployment
from samjhadoo_ops.deployment.rollout import expectation

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
            "waiting for ECS to roll back, at most 10 min; to look on: invoke status --env staging",
            id="rollback",
        ),
    ],
)
def test_a_wait_shows_for_what_how_long_and_what_to_do(kind: str, all_at_once: bool, expected: str) -> None:
    assert expectation(RUN, PinnedDeployment("arn:d", kind, all_at_once=all_at_once)) == expected
