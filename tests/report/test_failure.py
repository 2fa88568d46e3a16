from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import DeploymentFailed
from samjhadoo_ops.report.failure import (
    Alarm,
    FailureReport,
    StoppedContainer,
    StoppedTask,
    folded,
    numbers,
    screen,
    where,
)
from samjhadoo_ops.report.summary import failure_of

FAILURE = FailureReport(
    release="v2",
    deployment="arn:d",
    phase="canary",
    weight=10.0,
    since=1800.0,
    reason="errors",
    verdict={"opinion": "FAIL", "signal": "errors", "observed": 0.2, "threshold": 0.05, "sample": 149},
    alarms=(Alarm("5xx", "HTTPCode_Target_5XX_Count", 34.0, ">", 5.0, 60.0, "Threshold Crossed"),),
    tasks=(
        StoppedTask(
            "t1", "Essential container exited", (StoppedContainer("backend", 1), StoppedContainer("side"))
        ),
    ),
    logs=("one", "two"),
    events=("(service s) has started 2 tasks",),
    gaps=("logs: AccessDenied",),
    schema="V5, untouched by this deploy",
)


def test_the_screen_shows_where_and_why_with_the_numbers() -> None:
    assert screen(FAILURE) == (
        "verdict: FAIL errors, 20 % observed, limit 5 %, 149 canary requests",
        "alarms that fired:",
        "  5xx: HTTPCode_Target_5XX_Count 34 > 5 in 1 min",
        "stopped tasks of the new release:",
        "  t1: Essential container exited (backend: exit code 1; side: no exit code)",
        "last log lines of the new release:",
        "  one",
        "  two",
        "last events of the service:",
        "  (service s) has started 2 tasks",
        "could not be read:",
        "  logs: AccessDenied",
        "where: canary, 10 % of production traffic on the new release, 30 min after the start",
        "schema: V5, untouched by this deploy",
    )


COUNT = st.integers(0, 40)


@settings(max_examples=80, deadline=None)
@given(COUNT, COUNT, COUNT, COUNT, COUNT, st.integers(6, 24))
def test_the_screen_never_grows_beyond_its_lines(
    alarms: int, tasks: int, logs: int, events: int, gaps: int, lines: int
) -> None:
    failure = FailureReport(
        phase="canary",
        verdict={"opinion": "FAIL"},
        alarms=tuple(Alarm(f"a{number}") for number in range(alarms)),
        tasks=tuple(StoppedTask(f"t{number}", "x" * 500) for number in range(tasks)),
        logs=tuple("log " + "x" * number for number in range(logs)),
        events=tuple(f"event {number}" for number in range(events)),
        gaps=tuple("gap" for _ in range(gaps)),
        schema="V1",
    )
    shown = screen(failure, lines=lines)
    assert sum(-(-len(line) // 78) for line in shown) <= lines  # as wrapped on a terminal of 80 columns
    assert max(map(len, shown)) <= 1000
    assert shown[-1] == "schema: V1"
    if logs and lines > 14:
        assert "  log " + "x" * (logs - 1) in shown


CRASH = '{"level": "error", "event": "crash", "detail": "' + "x" * 300 + '", "exit_code": 1}'


@pytest.mark.parametrize(
    ("logs", "cause", "others"),
    [
        pytest.param(["started", CRASH, "stopped"], CRASH, ["started", "stopped"], id="json"),
        pytest.param(
            ["Traceback (most recent call last):", "KeyError: 'PORT'"],
            "KeyError: 'PORT'",
            ["Traceback (most recent call last):"],
            id="python",
        ),
        pytest.param(
            ["java.lang.IllegalStateException: no database", "bye"],
            "java.lang.IllegalStateException: no database",
            ["bye"],
            id="java",
        ),
        pytest.param(
            ["1.2 ERROR unhealthy", "1.3 ERROR unhealthy", "bye"],
            "1.3 ERROR unhealthy",
            ["bye"],
            id="repeated lines are not shown again",
        ),
        pytest.param(["2026-11-30 ERROR cannot listen"], "2026-11-30 ERROR cannot listen", [], id="level"),
        pytest.param(["started", "stopped"], "", ["started", "stopped"], id="no-error"),
    ],
)
def test_the_log_line_that_explains_a_failure_comes_first_and_whole(
    logs: list[str], cause: str, others: list[str]
) -> None:
    shown = screen(FailureReport(phase="scaling up", logs=tuple(logs)))
    first = [f"log: {cause}"] if cause else []
    title = [f"{'other' if cause else 'last'} log lines of the new release:"] if others else []
    assert list(shown) == [*first, *title, *(f"  {line}" for line in others), "where: scaling up"]


@pytest.mark.parametrize(
    "failure", [FAILURE, FailureReport(phase="baking"), FailureReport(reason="x", alarms=(Alarm("a"),))]
)
def test_a_failure_survives_json(failure: FailureReport) -> None:
    assert failure_of(json.loads(json.dumps(failure.document()))) is not None
    again = failure_of(json.loads(json.dumps(failure.document())))
    assert again is not None
    assert screen(again) == screen(failure)


RESOURCES = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval "
    "failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
)


def test_a_long_reason_is_shown_in_full_and_once_for_the_tasks_that_share_it() -> None:
    reason = f"{RESOURCES}invalid ssm parameters: /shop/flag"
    title, *lines = screen(FailureReport(tasks=(StoppedTask("t1", reason), StoppedTask("t2", reason))))
    assert title == "stopped tasks of the new release:"
    assert " ".join(line.strip() for line in lines) == f"(2 similar) t1: {reason}"


def test_a_reason_that_task_and_container_share_is_shown_once() -> None:
    reason = "CannotPullContainerError: no such image"
    task = StoppedTask("t1", reason, (StoppedContainer("init", reason=reason), StoppedContainer("app")))
    assert str(task) == f"t1: {reason} (init: no exit code; app: no exit code)"


def test_a_reason_that_is_too_long_keeps_its_beginning_and_its_end() -> None:
    reason = f"{RESOURCES}{'x' * 5000} {'y' * 100} invalid ssm parameters: /shop/flag"
    _, *lines = screen(FailureReport(tasks=(StoppedTask("t1", reason),)))
    assert lines[0].startswith("  t1: ResourceInitializationError: ")
    assert " ".join(line.strip() for line in lines).endswith("y invalid ssm parameters: /shop/flag")
    assert sum(map(len, lines)) <= 1000


def test_an_empty_report_shows_nothing() -> None:
    assert (screen(FailureReport()), FailureReport().document(), where(FailureReport()), numbers({})) == (
        (),
        {},
        "",
        "",
    )
    assert failure_of({}) is None


def test_a_failure_is_in_the_result_as_data(capsys: pytest.CaptureFixture[str]) -> None:
    Console("json").failure(
        DeploymentFailed("m", details=screen(FAILURE), failure=FAILURE.document(), hint="invoke deploy")
    )
    said = json.loads(capsys.readouterr().out)
    assert said["failure"]["tasks"][0]["containers"][0] == {"name": "backend", "exit_code": 1, "reason": ""}
    assert said["failure"]["alarms"][0]["threshold"] == 5.0


def test_log_lines_that_differ_only_in_digits_are_shown_once_and_keep_their_end() -> None:
    unhealthy = [f'{{"time": "07:31:{second:02}", {"x" * 200}, "fault": "fail"}}' for second in range(9)]
    first, last = folded([*unhealthy, "stopped"])
    assert first.startswith('(9 similar) {"time": "07:31:08"')
    assert first.endswith('"fault": "fail"}')
    assert len(first) == len("(9 similar) ") + len(unhealthy[-1])
    assert last == "stopped"
