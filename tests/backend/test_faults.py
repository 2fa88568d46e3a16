from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run


def test_an_error_rate_fails_pages_and_spares_health(run_service: Run) -> None:
    with run_service(FAULT_ERROR_RATE="50%") as running:
        statuses = [running.get("/api/v1/version").status for _ in range(200)]
        health = {running.get("/health").status for _ in range(20)}

    assert set(statuses) == {200, 500}
    assert 60 <= statuses.count(500) <= 140
    assert health == {200}


def test_a_latency_holds_pages_up(run_service: Run) -> None:
    with run_service(FAULT_LATENCY="0.3") as running:
        started = time.monotonic()
        assert running.get("/").status == 200
        assert time.monotonic() - started >= 0.3


def test_health_fails_at_once_or_after_a_while(run_service: Run) -> None:
    with run_service(FAULT_HEALTH="fail") as running:
        answer = running.get("/health")
    assert answer.status == 503
    assert answer.json()["checks"]["fault"] == {"status": "DOWN", "reason": "FAULT_HEALTH"}

    with run_service(FAULT_HEALTH="60s") as running:
        assert running.get("/health").status == 200


@pytest.mark.parametrize("after", ["0", "300ms"])
def test_a_crash_ends_the_process_with_the_chosen_code(run_service: Run, after: str) -> None:
    with run_service(wait=False, FAULT_CRASH_AFTER=after, FAULT_CRASH_CODE="137") as running:
        assert running.process.wait(60) == 137
        assert running.log()[-1]["event"] == "crash"


def test_a_slow_start_opens_the_port_later(run_service: Run) -> None:
    started = time.monotonic()
    with run_service(FAULT_SLOW_START="1s"):
        assert time.monotonic() - started >= 1
