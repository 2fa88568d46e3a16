from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.diagnosis import Diagnosis, alarm_of, schema_state
from samjhadoo_ops.deployment.journal import Event, JournalEntry
from samjhadoo_ops.deployment.outcome import Observation
from samjhadoo_ops.environment import Secret
from samjhadoo_ops.redaction import register_secret
from samjhadoo_ops.report.failure import Alarm, StoppedContainer, StoppedTask, screen

NOW = datetime(2026, 11, 2, 22, tzinfo=UTC)
FAMILY = "arn:task-definition/backend:2"
DOCUMENT = {
    "containerDefinitions": [
        {
            "name": "backend",
            "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g"}},
        }
    ]
}
TASK = {
    "taskArn": "arn:task/c/t1",
    "stoppedReason": "Essential container in task exited",
    "containers": [{"name": "backend", "exitCode": 1}],
}


BOOTING = {
    "taskArn": "arn:task/c/t1",
    "lastStatus": "RUNNING",
    "createdAt": NOW,
    "containers": [
        {"name": "backend", "lastStatus": "RUNNING", "healthStatus": "UNHEALTHY"},
        {"name": "proxy", "lastStatus": "PENDING", "healthStatus": "UNKNOWN"},
    ],
}
MISMATCH = "Health checks failed with these codes: [503]"
TARGETS = [
    {
        "Target": {"Id": "10.0.0.1", "Port": 8080},
        "TargetHealth": {
            "State": "unhealthy",
            "Reason": "Target.ResponseCodeMismatch",
            "Description": MISMATCH,
        },
    },
    {
        "Target": {"Id": "10.0.0.2", "Port": 8080},
        "TargetHealth": {"State": "initial", "Reason": "Elb.Initial"},
    },
    {"Target": {"Id": "10.0.0.3", "Port": 8080}, "TargetHealth": {"State": "healthy"}},
]


class Service:
    """Answers of ECS, CloudWatch and the journal; or none."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.exceptions = SimpleNamespace(ResourceNotFoundException=KeyError)

    def tasks(self, _family: str, *, desired: str) -> list[dict[str, Any]]:
        if self.down:
            raise ConnectionError("no answer")
        if desired == "RUNNING":
            return [BOOTING]
        return [TASK, {**TASK, "stoppedReason": "Scaling activity initiated by (deployment x)"}]

    def task_definition(self, _arn: str) -> Any:
        return SimpleNamespace(document=DOCUMENT)

    def conceal(self, arn: str) -> str:
        assert arn == FAMILY
        register_secret("planted-in-the-task")
        return "secrets: A (AccessDeniedException)" if self.down else ""

    def describe(self) -> dict[str, Any]:
        if self.down:
            raise ConnectionError("no answer")
        return {"events": [{"createdAt": NOW, "message": "(service s) has started 2 tasks"}]}

    def get_log_events(self, *, logGroupName: str, logStreamName: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        assert (logGroupName, logStreamName) == ("g", "ecs/backend/t1")
        return {
            "events": [{"message": "boom, password planted-Secret-7 planted-in-the-task\n\x1b[1mlast\x1b[0m"}]
        }

    def revisions(self, _arns: list[str]) -> dict[str, Any]:
        return {"r/2": {"resolvedConfiguration": {"loadBalancers": [{"targetGroupArn": "tg/green"}]}}}

    def describe_target_health(self, *, TargetGroupArn: str) -> dict[str, Any]:  # noqa: N803
        assert TargetGroupArn == "tg/green"
        if self.down:
            raise ConnectionError("no answer")
        return {"TargetHealthDescriptions": TARGETS}

    def describe_alarms(self, *, AlarmNames: list[str]) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [{"AlarmName": AlarmNames[0], "MetricName": "5XX", "Threshold": 5.0}]}

    def entry(self, _deploy: str) -> JournalEntry | None:
        return None


def diagnosis(service: Service, observed: Observation) -> Diagnosis:
    aws = SimpleNamespace(client=lambda _name: service)
    clock = Clock(read=lambda: NOW.timestamp() + 900)
    context: Any = SimpleNamespace(
        ecs=service, aws=aws, journal=service, clock=clock, conceal=service.conceal
    )
    return Diagnosis(context, observed, task_definition=FAMILY, deploy="1")


def test_tasks_logs_events_and_alarms_are_found_and_secrets_are_not() -> None:
    Secret("planted-Secret-7")
    observed = Observation("arn:d", "ROLLBACK_SUCCESSFUL", triggered_alarms=("one", "gone"), started_at=NOW)
    found = diagnosis(Service(), observed).found(phase="canary")
    assert found.tasks == (StoppedTask("t1", TASK["stoppedReason"], (StoppedContainer("backend", 1),)),)
    assert found.logs == ("boom, password *** ***", "last")
    assert found.events == ("(service s) has started 2 tasks",)
    assert found.alarms == (Alarm("one", "5XX", threshold=5.0), Alarm("gone"))
    assert (found.phase, found.gaps) == ("canary", ())


def test_what_cannot_be_read_is_named() -> None:
    found = diagnosis(Service(down=True), Observation("arn:d", "ROLLBACK_FAILED")).found()
    assert found.gaps == (
        "secrets: A (AccessDeniedException)",
        "stopped tasks: no answer",
        "events: no answer",
    )


def test_tasks_that_are_not_healthy_in_time_are_shown_with_their_health_checks_and_log() -> None:
    observed = Observation("arn:d", "IN_PROGRESS", target_revision="r/2")
    seen = diagnosis(Service(), observed).starting()
    assert seen.tasks == ("t1: RUNNING for 15 min (backend: RUNNING (UNHEALTHY), proxy: PENDING)",)
    assert seen.targets == (
        f"10.0.0.1:8080 unhealthy: {MISMATCH}",
        "10.0.0.2:8080 initial: Elb.Initial",
        "10.0.0.3:8080 healthy",
    )
    assert seen.logs[0].startswith("boom")
    shown = "\n".join(screen(diagnosis(Service(), observed).found(seen)))
    assert f"health checks of the new release:\n  10.0.0.1:8080 unhealthy: {MISMATCH}" in shown
    assert "tasks that were still starting:\n  t1: RUNNING for 15 min" in shown


def test_what_cannot_be_read_of_starting_tasks_is_named_too() -> None:
    observed = Observation("arn:d", "IN_PROGRESS", target_revision="r/2")
    seen = diagnosis(Service(down=True), observed).starting()
    denied = "secrets: A (AccessDeniedException)"
    assert seen.gaps == (denied, "running tasks: no answer", "target health: no answer")
    assert diagnosis(Service(), observed).found(seen).gaps == seen.gaps


UNCLEAR = "whether the previous release works with V6__a.sql is not known"
MISSED = "the previous release may need what V6__a.sql removed"
ALARM = {
    "AlarmName": "a",
    "MetricName": "HTTPCode_Target_5XX_Count",
    "Period": 60,
    "EvaluationPeriods": 5,
    "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"recentDatapoints": [3.0, 34.0]}', "a: HTTPCode_Target_5XX_Count 34 > 5 in 5 min"),
        ("not JSON", "a: HTTPCode_Target_5XX_Count > 5 in 5 min"),
        ("[]", "a: HTTPCode_Target_5XX_Count > 5 in 5 min"),
    ],
)
def test_an_alarm_is_shown_with_its_numbers(data: str, expected: str) -> None:
    assert alarm_of({**ALARM, "StateReasonData": data}).text() == expected


def journal(*events: tuple[str, dict[str, Any]]) -> JournalEntry:
    told = [Event(number=number, event=name, at=NOW, data=data) for number, (name, data) in enumerate(events)]
    return JournalEntry("1", tuple(told))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("schema", {"schema": "5"})], "V5, untouched by this deploy"),
        ([("schema", {"schema": None})], ""),
        ([("started", {})], ""),
        (
            [("migrating", {"pending": ["V6__a.sql"]})],
            "the migration did not finish: V6__a.sql; invoke migrate.info shows how far it got",
        ),
        (
            [("migrating", {"pending": ["V6__a.sql"]}), ("migrated", {"schema": "6"})],
            "V6, by this deploy (V6__a.sql); it stays, and the previous release works with it",
        ),
        (
            [
                ("migrating", {"pending": ["V6__a.sql"], "breaking": {"V6__a.sql": "drops a"}}),
                ("migrated", {"schema": "6"}),
            ],
            "V6, by this deploy (V6__a.sql); it stays, and " + MISSED,
        ),
        (
            [
                (
                    "migrating",
                    {"pending": ["V6__a.sql"], "breaking": {}, "unknown": {"V6__a.sql": "calls p"}},
                ),
                ("migrated", {"schema": "6"}),
            ],
            "V6, by this deploy (V6__a.sql); it stays, and " + UNCLEAR,
        ),
        (
            [
                ("migrating", {"pending": ["V1__a.sql"]}),
                ("migrated", {"schema": "1"}),
                ("starting", {"first": True}),
            ],
            "V1, by this deploy (V1__a.sql); it stays",
        ),
    ],
    ids=["untouched", "empty", "unknown", "unfinished", "compatible", "breaking", "unclear", "first"],
)
def test_the_state_of_the_schema_is_described(events: list[Any], expected: str) -> None:
    assert schema_state(journal(*events)) == expected
