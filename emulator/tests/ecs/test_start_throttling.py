"""How a service goes on when its tasks do not start, and when they start and end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
IMPAIRED = (
    "is unable to consistently start tasks successfully. For more information, see the Troubleshooting "
    "section of the Amazon ECS Developer Guide."
)


@pytest.fixture(scope="module")
def ecs(emulator: Any) -> Any:
    client = emulator.client("ecs")
    client.create_cluster(clusterName="throttled")
    return client


def serve(ecs: Any, name: str, **container: Any) -> Callable[[], list[str]]:
    """Create a service of one task; return what tells its events, newest first, without its name."""
    ecs.register_task_definition(
        family=name,
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "app", **container}],
    )
    ecs.create_service(
        cluster="throttled",
        serviceName=name,
        taskDefinition=name,
        desiredCount=1,
        networkConfiguration=NETWORK,
    )

    def events() -> list[str]:
        (service,) = ecs.describe_services(cluster="throttled", services=[name])["services"]
        return [event["message"].removeprefix(f"(service {name}) ") for event in service["events"]]

    return events


def listen(emulator: Any, detail_type: str) -> Callable[[], dict[str, Any] | None]:
    """Return what gives the first event that says that starts are impaired."""
    sqs, events = emulator.client("sqs"), emulator.client("events")
    url = sqs.create_queue(QueueName="impaired")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"detail-type": [detail_type], "detail": {"eventName": ["SERVICE_TASK_START_IMPAIRED"]}}
    events.put_rule(Name="impaired", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="impaired", Targets=[{"Id": "queue", "Arn": arn}])

    def heard() -> dict[str, Any] | None:
        messages = sqs.receive_message(QueueUrl=url).get("Messages", [])
        return json.loads(messages[0]["Body"]) if messages else None

    return heard


@pytest.mark.rule("A.9.throttling", "A.11.eventbridge", "A.11.service")
def test_a_service_whose_tasks_do_not_start_has_events_with_the_reason_and_keeps_trying(
    emulator: Any, ecs: Any, eventually: Callable[..., Any]
) -> None:
    host = emulator.url.removeprefix("http://")
    heard = listen(emulator, "ECS Service Action")
    events = serve(ecs, "missing-image", image=f"{host}/tiny/none:1")
    eventually(lambda: IMPAIRED in events())
    told = list(reversed(events()))
    assert told[0].startswith("has started 1 tasks: (task ")
    assert told[1].startswith("was unable to place a task. Reason: CannotPullContainerError: ")
    before = told[: told.index(IMPAIRED)]
    assert sum(text.startswith("was unable to place a task.") for text in before) == 3
    event = eventually(heard)
    assert event["resources"][0].endswith("service/throttled/missing-image")
    assert event["detail"]["eventType"] == "WARN"
    assert event["detail"]["clusterArn"].endswith(":cluster/throttled")
    ecs.delete_service(cluster="throttled", service="missing-image", force=True)


def test_a_service_whose_tasks_run_and_end_is_not_throttled(
    ecs: Any, server_image: str, eventually: Callable[..., Any]
) -> None:
    crashing = [{"name": "CRASH", "value": "1"}]
    events = serve(
        ecs,
        "crashing",
        image=server_image,
        environment=crashing,
        portMappings=[{"containerPort": 8080}],
    )
    eventually(lambda: sum(text.startswith("has started 1 tasks") for text in events()) >= 5)
    assert IMPAIRED not in events()
    ecs.delete_service(cluster="throttled", service="crashing", force=True)
