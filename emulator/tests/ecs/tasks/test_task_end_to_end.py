"""A real task of a pushed image, with a real secret and real logs, through the edge only."""

from __future__ import annotations

import json
import urllib.error
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


def run(ecs: Any, role: str = "", **container: Any) -> str:
    definition = ecs.register_task_definition(
        **({"taskRoleArn": role} if role else {}),
        family="real",
        networkMode="awsvpc",
        memory="512",
        executionRoleArn="arn:aws:iam::000000000000:role/execution",
        containerDefinitions=[{"name": "app", **container}],
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


def test_a_task_is_reached_at_its_network_binding(
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


ASK = """
import json, os, urllib.request
def get(url):
    return json.load(urllib.request.urlopen(url, timeout=10))
here = os.environ["ECS_CONTAINER_METADATA_URI_V4"]
assert "AWS_ACCESS_KEY_ID" not in os.environ
credentials = get(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
credentials.pop("SecretAccessKey"), credentials.pop("Token")
names = ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_ENDPOINT_URL")
print(json.dumps({
    "container": get(here), "task": get(here + "/task"), "statistics": get(here + "/stats"),
    "all": get(here + "/task/stats"), "credentials": credentials,
    "variables": {name: os.environ[name] for name in names},
}))
"""


def test_a_container_learns_who_it_is_and_acts_as_its_tasks_role(
    emulator: Any, ecs: Any, server_image: str, eventually: Callable[..., Any]
) -> None:
    role = "arn:aws:iam::000000000000:role/application"
    options = {
        "awslogs-group": "/who",
        "awslogs-create-group": "true",
        "awslogs-region": "ap-south-1",
        "awslogs-stream-prefix": "ecs",
    }
    arn = run(
        ecs,
        role,
        image=server_image,
        entryPoint=["python3", "-c", ASK],
        logConfiguration={"logDriver": "awslogs", "options": options},
    )
    eventually(lambda: describe(ecs, arn)["lastStatus"] == "STOPPED")
    task_id = arn.rpartition("/")[2]
    logs = emulator.client("logs")
    events = logs.get_log_events(logGroupName="/who", logStreamName=f"ecs/app/{task_id}")["events"]
    answered = json.loads(events[0]["message"])
    container, task = answered["container"], answered["task"]
    described = describe(ecs, arn)
    assert container["Name"] == "app"
    assert container["ContainerARN"] == described["containers"][0]["containerArn"]
    assert container["ImageID"] == server_image.partition("@")[2]
    assert container["Labels"]["com.amazonaws.ecs.task-arn"] == arn
    assert container["LogOptions"]["awslogs-stream"] == f"ecs/app/{task_id}"
    assert (task["TaskARN"], task["Family"], task["LaunchType"]) == (arn, "real", "EC2")
    assert task["Cluster"] == described["clusterArn"]
    assert [each["Name"] for each in task["Containers"]] == ["app"]
    assert answered["statistics"]["memory_stats"]["usage"] > 0
    assert list(answered["all"]) == [container["DockerId"]]
    assert answered["credentials"]["RoleArn"] == role
    assert answered["credentials"]["AccessKeyId"].startswith("ASIA")
    assert answered["variables"] == {
        "AWS_REGION": "ap-south-1",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_EXECUTION_ENV": "AWS_ECS_FARGATE",
        "AWS_ENDPOINT_URL": emulator.url,
    }


@pytest.mark.parametrize(
    "path", ["v4/none", "v4/none/task", "v2/credentials/none", "v4/..%2f..%2fv2/x", "other"]
)
def test_an_unknown_container_or_path_gets_no_answer(emulator: Any, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{emulator.url}/_ecs/{path}", timeout=10)
    assert caught.value.code == 404
    caught.value.close()
