"""A service's past: a journal as deploys write it, and a named fake of the ECS that ran them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.ecs import EcsService
from samjhadoo_ops.deployment.journal import FINISHED, DeploymentJournal

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.objects import ObjectStore

FAMILY = "arn:aws:ecs:ap-south-1:000000000000:task-definition/app"


class PastEcs:
    """An ECS client that knows deployments `1` to `count`, all successful, and counts its requests."""

    class exceptions:  # noqa: N801  # botocore's name for it
        class ClusterNotFoundException(Exception):
            """Never raised."""

    def __init__(self, began: list[datetime]) -> None:
        self._began = began
        self.requests = 0

    def describe_services(self, **_: Any) -> dict[str, Any]:
        self.requests += 1
        current = f"revision/{len(self._began)}"
        return {"services": [{"status": "ACTIVE", "currentServiceRevisions": [{"arn": current}]}]}

    def list_service_deployments(self, **request: Any) -> dict[str, Any]:
        self.requests += 1
        first = int(request.get("nextToken", 0))
        newest = list(enumerate(self._began, 1))[::-1]
        page = [
            {
                "serviceDeploymentArn": f"deployment/{number}",
                "targetServiceRevisionArn": f"revision/{number}",
                "status": "SUCCESSFUL",
                "createdAt": began,
            }
            for number, began in newest[first : first + request["maxResults"]]
        ]
        more = first + len(page) < len(newest)
        return {"serviceDeployments": page, **({"nextToken": str(first + len(page))} if more else {})}

    def describe_service_revisions(self, *, serviceRevisionArns: list[str]) -> dict[str, Any]:  # noqa: N803
        self.requests += 1
        numbers = {arn: arn.rpartition("/")[2] for arn in serviceRevisionArns}
        return {
            "serviceRevisions": [
                {"serviceRevisionArn": arn, "taskDefinition": f"{FAMILY}:{number}"}
                for arn, number in numbers.items()
            ]
        }

    def describe_task_definition(self, *, taskDefinition: str, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.requests += 1
        number = taskDefinition.rpartition(":")[2]
        return {
            "taskDefinition": {"taskDefinitionArn": taskDefinition, "status": "ACTIVE"},
            "tags": [{"key": "release", "value": f"v{number}"}],
        }


def write_past(journal: DeploymentJournal, began: list[datetime]) -> None:
    """Write the journal of successful deploys, as a deploy with a canary of 60 minutes writes it."""
    for number, at in enumerate(began, 1):
        clock = Clock(read=at.timestamp)
        task_definition = f"{FAMILY}:{number}"
        recorder = journal.recorder("deploy", clock, token=number)
        recorder.write("pushing", release=f"v{number}", reused=False)
        recorder.write("pushed", release=f"v{number}", digest=f"sha256:{number:064}")
        if number % 5 == 0:
            recorder.write("migrating", pending=[f"V{number}__more.sql"], breaking={})
            recorder.write("migrated", schema=str(number))
        else:
            recorder.write("schema", schema=str(number - number % 5))
        recorder.write("registering", family="app")
        recorder.write("registered", task_definition=task_definition)
        recorder.write("starting", task_definition=task_definition, all_at_once=False, first=False, known=[])
        recorder.write(
            "started-deployment", deployment=f"deployment/{number}", task_definition=task_definition
        )
        for hook in ("test", "gate-1", "gate-2"):
            recorder.write("answering-hook", hook=hook, phase="TESTING", reason="the smoke test passed")
            recorder.write("hook-answered", hook=hook, taken=True)
        recorder.write("canary", since=at.timestamp())
        minutes = [{"at": at.timestamp(), "weight": 10.0, "canary": {"requests": 9}, "baseline": {}}]
        recorder.write("minutes", minutes=minutes * 60, verdict="enough")
        recorder.write(FINISHED, outcome="succeeded", seconds={"start": 1.0}, exit_code=0)


def past_of(store: ObjectStore, *, count: int, apart: timedelta) -> tuple[DeploymentJournal, EcsService, Any]:
    """Return a journal and a service with `count` deployments, the last one `apart` ago, and its client."""
    journal = DeploymentJournal(store, prefix="deployments/", environment="local", service="app")
    now = datetime.now(UTC)
    began = [now - apart * number for number in range(count, 0, -1)]
    write_past(journal, began)
    client = PastEcs(began)
    return journal, EcsService(client, cluster="c", name="app"), client
