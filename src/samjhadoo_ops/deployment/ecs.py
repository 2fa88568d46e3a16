"""The ECS service being deployed, in the few calls deployments need."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ONGOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
_BATCH = 20
_DESCRIBED_TASKS = 20
_REFUSALS = frozenset({"ClientException", "InvalidParameterException", "UnsupportedFeatureException"})


@dataclass(frozen=True)
class Registered:
    """A registered task definition with its tags."""

    arn: str
    document: dict[str, Any]
    tags: dict[str, str]


class EcsService:
    """One service of one cluster.

    Args:
        client: A boto3 ECS client.

    """

    def __init__(self, client: Any, *, cluster: str, name: str) -> None:
        self.client = client
        self.cluster = cluster
        self.name = name

    def describe(self) -> dict[str, Any] | None:
        """Return the active service, or None when there is none (or no cluster)."""
        try:
            answer = self.client.describe_services(cluster=self.cluster, services=[self.name])
        except self.client.exceptions.ClusterNotFoundException:
            return None
        services = [service for service in answer["services"] if service["status"] != "INACTIVE"]
        return services[0] if services else None

    def deployment(self, arn: str) -> dict[str, Any]:
        """Return a service deployment.

        Raises:
            PersonNeeded: ECS doesn't know it any more.

        """
        answer = self.client.describe_service_deployments(serviceDeploymentArns=[arn])
        if not answer["serviceDeployments"]:
            raise PersonNeeded(
                f"ECS doesn't know the service deployment {arn} any more",
                hint="was its AWS replaced meanwhile? invoke status tells what there is now",
            )
        document: dict[str, Any] = answer["serviceDeployments"][0]
        return document

    def deployments(self, *, statuses: Sequence[str] = (), limit: int = 0) -> list[dict[str, Any]]:
        """Return brief service deployments, the newest first.

        Args:
            limit: How many at most; 0 for all that ECS keeps (90 days).

        """
        found: list[dict[str, Any]] = []
        request: dict[str, Any] = {"cluster": self.cluster, "service": self.name, "maxResults": 100}
        if statuses:
            request["status"] = list(statuses)
        while True:
            answer = self.client.list_service_deployments(**request)
            found.extend(answer["serviceDeployments"])
            if not answer.get("nextToken") or 0 < limit <= len(found):
                break
            request["nextToken"] = answer["nextToken"]
        found.sort(key=lambda brief: brief["createdAt"], reverse=True)
        return found[: limit or None]

    def revisions(self, arns: Iterable[str]) -> dict[str, dict[str, Any]]:
        """Return service revisions by ARN; those ECS has forgotten are left out."""
        wanted = sorted({arn for arn in arns if arn})
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(wanted), _BATCH):
            answer = self.client.describe_service_revisions(
                serviceRevisionArns=wanted[start : start + _BATCH]
            )
            found |= {revision["serviceRevisionArn"]: revision for revision in answer["serviceRevisions"]}
        return found

    def task_definition(self, arn: str) -> Registered | None:
        """Return a registered task definition by ARN or family, or None when there is none."""
        from botocore.exceptions import ClientError

        try:
            answer = self.client.describe_task_definition(taskDefinition=arn, include=["TAGS"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "ClientException":
                return None
            raise
        tags = {tag["key"]: tag["value"] for tag in answer.get("tags", ())}
        return Registered(answer["taskDefinition"]["taskDefinitionArn"], answer["taskDefinition"], tags)

    def register(self, document: Mapping[str, Any], tags: Mapping[str, str]) -> str:
        """Register a task definition and return its ARN.

        Raises:
            DeploymentFailed: ECS refused it.

        """
        given = [{"key": key, "value": value} for key, value in tags.items()]
        with _refusals():
            answer = self.client.register_task_definition(**document, **({"tags": given} if given else {}))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def create(self, **request: Any) -> dict[str, Any]:
        """Create the service and return it.

        Raises:
            DeploymentFailed: ECS refused the request.

        """
        with _refusals():
            answer = self.client.create_service(cluster=self.cluster, serviceName=self.name, **request)
        service: dict[str, Any] = answer["service"]
        return service

    def update(self, **request: Any) -> dict[str, Any]:
        """Update the service and return it.

        Raises:
            DeploymentFailed: ECS refused the request.

        """
        with _refusals():
            answer = self.client.update_service(cluster=self.cluster, service=self.name, **request)
        service: dict[str, Any] = answer["service"]
        return service

    def answer_hook(self, arn: str, hook: str, action: str) -> bool:
        """Answer a pause hook; return False when ECS no longer waits for it.

        A repeated answer, also one whose first response was lost, looks like a wrong one: read again.
        """
        try:
            self.client.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action=action)
        except self.client.exceptions.InvalidParameterException:
            return False
        return True

    def stop(self, arn: str) -> bool:
        """Ask ECS to roll a deployment back; return False when it has ended already."""
        from botocore.exceptions import ClientError

        try:
            self.client.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConflictException":
                return False
            raise
        return True

    def stopped_tasks(self, task_definition: str) -> list[dict[str, Any]]:
        """Return tasks of a task definition that stopped lately, the newest first."""
        answer = self.client.list_tasks(
            cluster=self.cluster, serviceName=self.name, desiredStatus="STOPPED", maxResults=100
        )
        arns = answer["taskArns"]
        tasks: list[dict[str, Any]] = []
        for start in range(0, len(arns), _DESCRIBED_TASKS):
            batch = arns[start : start + _DESCRIBED_TASKS]
            tasks.extend(self.client.describe_tasks(cluster=self.cluster, tasks=batch)["tasks"])
        wanted = [task for task in tasks if task.get("taskDefinitionArn") == task_definition]
        return sorted(wanted, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn ECS's refusal of a request's content into the end of a deployment that has not begun.

    Raises:
        DeploymentFailed: ECS refused it; the service is as it was.

    """
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in _REFUSALS:
            raise
        raise DeploymentFailed(
            f"ECS refuses {error.operation_name}: {error.response['Error']['Message']}",
            hint="the service was not touched; correct the task definition or the settings, "
            "then: invoke deploy",
        ) from error
