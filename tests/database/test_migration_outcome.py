from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_ops.database.ecs_task import result
from samjhadoo_ops.database.ecs_task.result import Transcript
from samjhadoo_ops.errors import ExitCode

NO_LOG = Transcript(complete=False, exit_code=None, answer="", log="")
EXITED = "Essential container in task exited"
INIT = "ResourceInitializationError: "


def task(reason: str, *, code: int | None = None, container: str = "") -> dict[str, Any]:
    exit_code = {} if code is None else {"exitCode": code}
    return {"stoppedReason": reason, "containers": [{"name": "flyway", "reason": container, **exit_code}]}


@pytest.mark.parametrize(
    ("reason", "message", "setting"),
    [
        pytest.param(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): not found",
            "cannot be pulled",
            "ECR",
            id="image-not-there",
        ),
        pytest.param(
            f"{INIT}unable to pull secrets or registry auth: execution resource retrieval failed: unable to "
            "retrieve secret from asm: AccessDeniedException",
            "cannot read the database's secret",
            "secretsmanager:GetSecretValue",
            id="secret-not-readable",
        ),
        pytest.param(
            f"{INIT}unable to pull secrets or registry auth: retrieved secret from Secrets Manager did not "
            "contain json key port",
            "lacks a key",
            "database.secret",
            id="secret-incomplete",
        ),
        pytest.param(
            f"{INIT}failed to validate logger args: create stream has been retried 1 times: "
            "ResourceNotFoundException: The specified log group does not exist.",
            "the log group /ecs/shop",
            "database.task.log_group",
            id="no-log-group",
        ),
        pytest.param(
            f"{INIT}failed to validate logger args: AccessDeniedException",
            "its log",
            "logs:PutLogEvents",
            id="log-refused",
        ),
        pytest.param(
            'CannotStartContainerError: exec: "sh": executable file not found',
            "cannot be run",
            "database.flyway_image",
            id="image-without-a-shell",
        ),
        pytest.param("Capacity is unavailable at this time", "no capacity", "again", id="no-capacity"),
        pytest.param("RESOURCE:ENI", "no capacity", "again", id="no-address"),
        pytest.param("Something new", "did not start: Something new", "migrate.info", id="anything-else"),
    ],
)
def test_a_task_that_did_not_begin_is_refused(reason: str, message: str, setting: str) -> None:
    end = result.ended(task(reason))
    refused = result.not_begun(end.why, log_group="/ecs/shop")

    assert not end.began
    assert message in refused.message
    assert setting in refused.hint
    assert (refused.exit_code, refused.changed) == (ExitCode.REFUSED, "")


@pytest.mark.parametrize(
    ("stopped", "log", "message"),
    [
        pytest.param(
            task(
                "Essential container in task exited", code=137, container="OutOfMemoryError: Container killed"
            ),
            NO_LOG,
            "ran out of memory",
            id="memory",
        ),
        pytest.param(
            task("Task stopped by user", code=137), NO_LOG, "was killed before Flyway ended", id="killed"
        ),
        pytest.param(task("Task stopped by user", code=143), NO_LOG, "with exit code 143", id="stopped"),
        pytest.param(task(EXITED, code=0), NO_LOG, "does not have its whole output", id="log-lost"),
        pytest.param(
            task(EXITED, code=1),
            Transcript(complete=False, exit_code=1, answer="", log=""),
            "does not have its whole output",
            id="log-incomplete",
        ),
    ],
)
def test_a_task_without_output_is_reported_with_reason_and_log(
    stopped: dict[str, Any], log: Transcript, message: str
) -> None:
    end = result.ended(stopped)
    said, hint = result.incomplete(end, log, log_group="/g", log_stream="flyway/flyway/1")

    assert end.began
    assert message in said
    assert "/g" in hint or "database.task.memory" in hint
