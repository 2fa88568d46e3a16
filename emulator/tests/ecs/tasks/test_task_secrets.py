from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Lab

InLab = "Callable[..., None]"
SECRET = "arn:aws:secretsmanager:ap-south-1:123456789012:secret:db-AbCdEf"
PARAMETER = "arn:aws:ssm:ap-south-1:123456789012:parameter"


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        pytest.param(SECRET, '{"user": "me", "port": 5432}', id="secret"),
        pytest.param(f"{SECRET}:user::", "me", id="key"),
        pytest.param(f"{SECRET}:port::", "5432", id="number"),
        pytest.param(f"{SECRET}:user:AWSPREVIOUS:", "before", id="stage"),
        pytest.param(f"{SECRET}:user::v1", "first", id="version"),
        pytest.param("plain", "p", id="parameter-name"),
        pytest.param("/deep/name", "d", id="parameter-path"),
        pytest.param(f"{PARAMETER}/deep/name", "d", id="parameter-arn"),
        pytest.param(f"{PARAMETER}/plain", "p", id="parameter-arn-without-slash"),
        pytest.param(f"{PARAMETER}/top", "t", id="parameter-arn-with-one-slash"),
    ],
)
def test_a_reference_becomes_a_variable(in_lab: InLab, reference: str, value: str) -> None:
    async def script(lab: Lab) -> None:
        lab.aws.secrets = {
            SECRET: json.dumps({"user": "me", "port": 5432}),
            f"{SECRET}:AWSPREVIOUS": '{"user": "before"}',
            f"{SECRET}:v1": '{"user": "first"}',
        }
        lab.aws.parameters = {"plain": "p", "/deep/name": "d", "/top": "t"}
        out = lab.host.data_dir / "out"
        secrets = [{"name": "IT", "valueFrom": reference}]
        task = lab.run(lab.shell(f'printf "%s" "$IT" > {out}', secrets=secrets))
        await lab.status(task, "STOPPED")
        assert out.read_text() == value

    in_lab(script)


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        pytest.param(
            SECRET.replace("db", "none"),
            "unable to retrieve secret from asm: service call has been retried 1 time(s): "
            f"failed to fetch secret {SECRET.replace('db', 'none')} from secrets manager: "
            "ResourceNotFoundException: ",
            id="secret",
        ),
        pytest.param(
            f"{SECRET}:nope::",
            "retrieved secret from Secrets Manager did not contain json key nope",
            id="key",
        ),
        pytest.param(
            "/nope",
            "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
            "invalid ssm parameters: /nope",
            id="parameter",
        ),
    ],
)
def test_a_reference_that_leads_nowhere_stops_the_task_with_awss_reason(
    in_lab: InLab, reference: str, text: str
) -> None:
    async def script(lab: Lab) -> None:
        lab.aws.secrets = {SECRET: "{}"}
        task = lab.run(lab.shell("exit 0", secrets=[{"name": "IT", "valueFrom": reference}]))
        await lab.status(task, "STOPPED")
        assert task.stopped_reason.startswith(
            "ResourceInitializationError: unable to pull secrets or registry auth: "
            "execution resource retrieval failed: "
        )
        assert text in task.stopped_reason
        assert task.stop_code == "TaskFailedToStart"
        assert task.containers[0].exit_code is None

    in_lab(script)


def test_a_secret_used_by_several_variables_is_read_once(in_lab: InLab) -> None:
    async def script(lab: Lab) -> None:
        lab.aws.secrets = {SECRET: '{"a": "1", "b": "2"}'}
        secrets = [{"name": key, "valueFrom": f"{SECRET}:{key}::"} for key in "ab"]
        task = lab.run(lab.shell("exit 0", secrets=secrets), lab.shell("exit 0", "two", secrets=secrets))
        await lab.status(task, "STOPPED")
        assert lab.aws.calls.count("GetSecretValue") == 1

    in_lab(script)
