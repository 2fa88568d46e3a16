from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.outcome import Hook, Observation
from samjhadoo_ops.deployment.status import Status, for_people, lines

NOW = datetime(2026, 11, 2, 22, tzinfo=UTC)
REAL = Clock(read=NOW.timestamp)
EMULATED = Clock(minute=0.2, origin=NOW.timestamp() - 60, read=NOW.timestamp)
SHA = "761ce5718f32d3b9770d99b4ab300180d4015c37"
ROW = ("d-1", "deploy", SHA, "sha256:1", NOW - timedelta(minutes=3), 1.5, "succeeded", "ada")


@pytest.mark.parametrize(
    ("clock", "started", "expected"),
    [
        pytest.param(REAL, NOW - timedelta(minutes=3), "3 min ago", id="real"),
        pytest.param(EMULATED, EMULATED.now() - timedelta(minutes=30), "6 s ago", id="emulated"),
    ],
)
def test_a_past_deployment_is_a_sentence_with_a_short_release_and_a_real_relative_time(
    clock: Clock, started: datetime, expected: str
) -> None:
    row = (*ROW[:4], started, *ROW[5:])
    assert for_people(row, clock) == (f"deploy of {SHA[:12]} by ada, {expected}: succeeded", "d-1")


def status(**changes: Any) -> Status:
    known = {
        "service": {"serviceName": "api", "status": "ACTIVE", "runningCount": 2, "desiredCount": 2},
        "release": None,
        "traffic": {"blue": 100.0},
        "deployment": None,
        "lock_owner": None,
        "last": ROW,
        "production": "http://p",
        "test": "http://t",
    }
    return Status(**known | changes)


def test_the_last_deploy_is_on_two_lines_and_its_id_can_be_copied() -> None:
    assert lines(status(), REAL)[3:5] == [
        f"last:       deploy of {SHA[:12]} by ada, 3 min ago: succeeded",
        "            d-1",
    ]


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        pytest.param(
            EMULATED.now() + timedelta(minutes=300),
            "paused by h: ECS answers ROLLBACK by itself in about 60 s (5 h emulated)",
            id="expires",
        ),
        pytest.param(None, "paused by h: ECS answers ROLLBACK by itself", id="unknown"),
    ],
)
def test_a_pause_shows_when_ecs_answers_it_by_itself(expires: datetime | None, expected: str) -> None:
    hook = Hook("h", "AWAITING_ACTION", expires_at=expires, timeout_action="ROLLBACK")
    deployment = Observation("arn:x/D1", "IN_PROGRESS", hooks=(hook,))
    assert f"            {expected}" in lines(status(deployment=deployment), EMULATED)
