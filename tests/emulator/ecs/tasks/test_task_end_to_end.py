"""A real task of a pushed image, with a real secret and real logs, through the edge only."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture(scope="module")
def ecs(emulator: Any) -> Any:
    client = emulator.client("ecs")
    client.create_cluster(clusterName="real")
    return client


def run(ecs: Any, **container: Any) -> str:
    definition = ecs.register_task_definition(
        family="real", networkMode="awsvpc", containerDefinitions=[{"name": "app", **container}]
    )["taskDefinition"]
    tasks = ecs.run_task(
        cluster="real", taskDefinition=definition["taskDefinitionArn"], networkConfiguration=NETWORK
    )["tasks"]
    return str(tasks[0]["taskArn"])


def describe(ecs: Any, arn: str) -> dict[str, Any]:
    found: dict[str, Any] = ecs.describe_tasks(cluster="real", tasks=[arn])["tasks"][0]
    return found


def test_a_one_off_task_reads_its_secret_and_writes_its_log(
    emulator: Any, ecs: Any, server_image: str, eventually: Callable[..., Any]
) -> None:
    secret = emulator.client("secretsmanager").create_secret(
        Name="db", SecretString=json.dumps({"user": "me"})
    )
    parameter = emulator.client("ssm").put_parameter
    parameter(Name="/app/level", Value="high", Type="SecureString")
    emulator.client("s3").create_bucket(
        Bucket="settings", CreateBucketConfiguration={"LocationConstraint": "ap-south-1"}
    )
    emulator.client("s3").put_object(Bucket="settings", Key="app.env", Body=b"# settings\nFROM_FILE=yes\n")
    arn = run(
        ecs,
        image=server_image,
        entryPoint=["sh", "-c"],
        command=["echo $DB_USER $LEVEL $FROM_FILE; exit 3"],
        secrets=[
            {"name": "DB_USER", "valueFrom": f"{secret['ARN']}:user::"},
            {"name": "LEVEL", "valueFrom": "/app/level"},
        ],
        environmentFiles=[{"type": "s3", "value": "arn:aws:s3:::settings/app.env"}],
        logConfiguration={
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": "/real",
                "awslogs-create-group": "true",
                "awslogs-region": "ap-south-1",
                "awslogs-stream-prefix": "ecs",
            },
        },
    )
    eventually(lambda: describe(ecs, arn)["lastStatus"] == "STOPPED")
    task = describe(ecs, arn)
    assert task["stopCode"] == "EssentialContainerExited", task["stoppedReason"]
    assert task["containers"][0]["exitCode"] == 3
    assert task["containers"][0]["imageDigest"] == server_image.partition("@")[2]
    events = emulator.client("logs").get_log_events(
        logGroupName="/real", logStreamName=f"ecs/app/{arn.rpartition('/')[2]}", startFromHead=True
    )["events"]
    assert [event["message"] for event in events] == ["me high yes"]


def test_a_task_is_reached_where_its_network_binding_says(
    ecs: Any, server_image: str, eventually: Callable[..., Any]
) -> None:
    arn = run(ecs, image=server_image, portMappings=[{"containerPort": 8080}])

    def answer() -> int:
        bindings = describe(ecs, arn)["containers"][0]["networkBindings"]
        if not bindings:
            return 0
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{bindings[0]['hostPort']}/", timeout=2
            ) as response:
                return int(response.status)
        except OSError:
            return 0

    eventually(lambda: answer() == 200)
    ecs.stop_task(cluster="real", task=arn)
    eventually(lambda: describe(ecs, arn)["lastStatus"] == "STOPPED")


def test_a_secret_that_does_not_exist_stops_the_task_with_awss_reason(
    ecs: Any, server_image: str, eventually: Callable[..., Any]
) -> None:
    secret = "arn:aws:secretsmanager:ap-south-1:000000000000:secret:none-AbCdEf"
    arn = run(ecs, image=server_image, secrets=[{"name": "X", "valueFrom": secret}])
    eventually(lambda: describe(ecs, arn)["lastStatus"] == "STOPPED")
    assert "ResourceNotFoundException: Secrets Manager can't find" in describe(ecs, arn)["stoppedReason"]
