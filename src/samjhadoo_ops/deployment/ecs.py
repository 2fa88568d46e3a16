"""The ECS service being deployed, in the few calls deployments need."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, TypeVar

from samjhadoo_ops.deployment.differences import task_definition_differences
from samjhadoo_ops.errors import DeploymentFailed, PersonNeeded

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

_THROTTLING = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)
_SERVER_FAULT = 500

TRIES = 8
FIND_TRIES = 3
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
ONGOING = ("PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS")
_BATCH = 20
_DESCRIBED_TASKS = 20
_REFUSALS = frozenset({"ClientException", "InvalidParameterException", "UnsupportedFeatureException"})


def is_throttled(error: BaseException) -> bool:
    """Return whether AWS throttled a call: it was not carried out."""
    from botocore.exceptions import ClientError

    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code", "") in _THROTTLING


def is_transient(error: BaseException) -> bool:
    """Return whether the same call may succeed a little later."""
    from botocore.exceptions import ClientError, HTTPClientError
    from botocore.exceptions import ConnectionError as Unreachable
    from botocore.parsers import ResponseParserError

    if isinstance(error, ClientError):
        answer = error.response
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return answer.get("Error", {}).get("Code", "") in _THROTTLING or status >= _SERVER_FAULT
    return isinstance(error, HTTPClientError | Unreachable | ResponseParserError | ConnectionError)


Answer = TypeVar("Answer")


def send_once(
    send: Callable[[], Answer],
    find: Callable[[], Answer | None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Answer:
    """Send a request until it was carried out, once.

    Args:
        find: Returns what the request has brought about, once AWS shows it; else None.
        wait: Sleeps for real seconds.

    Raises:
        Exception: What the last try raised.
    """
    in_doubt = False
    for attempt in range(TRIES):
        try:
            return send()
        except Exception as error:
            in_doubt = in_doubt or (is_transient(error) and not is_throttled(error))
            # A refusal after a lost answer may be of the repetition: the first may have been carried out.
            found = _find_again(find, wait) if in_doubt else None
            if found is not None:
                return found
            if not is_transient(error) or attempt + 1 == TRIES:
                raise
            wait(_pause(attempt))
    raise AssertionError  # the last try returns or raises


def _find_again(find: Callable[[], Answer | None], wait: Callable[[float], None]) -> Answer | None:
    """Try a few times: what was sent may take a moment to show."""
    for attempt in range(FIND_TRIES):
        wait(_pause(attempt))
        found = find()
        if found is not None:
            return found
    return None


def _pause(attempt: int) -> float:
    longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.8, 1.2)  # noqa: S311


@dataclass(frozen=True)
class Registered:
    """A registered task definition with its tags."""

    arn: str
    document: dict[str, Any]
    tags: dict[str, str]


def has_served(service: Mapping[str, Any] | None, briefs: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether a deployment of the service has ever succeeded.

    Args:
        service: The DescribeServices document; None when there is no service.
        briefs: Its service deployments. ECS keeps those of 90 days only, and none from before 2024-10-25:
            what an older one deployed still shows as COMPLETED in the service.
    """
    if any(brief["status"] == "SUCCESSFUL" for brief in briefs):
        return True
    return any(each.get("rolloutState") == "COMPLETED" for each in (service or {}).get("deployments", ()))


class EcsService:
    """One service of one cluster.

    Args:
        sender: One that sends each request once; for requests that must not be carried out twice.
        guard: Called before every change; raises when this run may change nothing any more.
    """

    def __init__(
        self,
        client: Any,
        *,
        cluster: str,
        name: str,
        sender: Any = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.client = client
        self.cluster = cluster
        self.name = name
        self._sender = sender or client
        self._guard = guard

    def describe(self) -> dict[str, Any] | None:
        """Return the active service, or None when there is none (or no cluster)."""
        try:
            answer = self.client.describe_services(cluster=self.cluster, services=[self.name])
        except self.client.exceptions.ClusterNotFoundException:
            return None
        services = [service for service in answer["services"] if service["status"] != "INACTIVE"]
        return services[0] if services else None

    def deployment(self, arn: str) -> dict[str, Any]:
        """Return a service deployment; raise `PersonNeeded` if ECS no longer knows it."""
        answer = self.client.describe_service_deployments(serviceDeploymentArns=[arn])
        if not answer["serviceDeployments"]:
            raise PersonNeeded(
                f"ECS doesn't know the service deployment {arn} any more",
                hint="was its AWS replaced meanwhile? invoke status shows what there is now",
            )
        document: dict[str, Any] = answer["serviceDeployments"][0]
        return document

    def deployments(self, *, statuses: Sequence[str] = (), limit: int = 0) -> list[dict[str, Any]]:
        """Return brief service deployments, newest first: `limit` at most, 0 for all of 90 days."""
        found = islice(chain.from_iterable(self._pages(statuses)), limit or None)
        return sorted(found, key=lambda brief: brief["createdAt"], reverse=True)

    def successful(self) -> Iterator[tuple[str, datetime]]:
        """Return the successful deployments' task definitions and beginnings, newest first, on demand."""
        for page in self._pages(["SUCCESSFUL"]):
            briefs = sorted(page, key=lambda brief: brief["createdAt"], reverse=True)
            for start in range(0, len(briefs), _BATCH):
                batch = briefs[start : start + _BATCH]
                revisions = self.revisions(brief["targetServiceRevisionArn"] for brief in batch)
                for brief in batch:
                    revision = revisions.get(brief["targetServiceRevisionArn"])
                    if revision is not None:
                        yield str(revision["taskDefinition"]), brief["createdAt"]

    def _pages(self, statuses: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """Return the pages of the service's deployments; ECS lists the newest first."""
        request: dict[str, Any] = {"cluster": self.cluster, "service": self.name, "maxResults": 100}
        if statuses:
            request["status"] = list(statuses)
        while True:
            answer = self.client.list_service_deployments(**request)
            yield answer["serviceDeployments"]
            if not answer.get("nextToken"):
                return
            request["nextToken"] = answer["nextToken"]

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

    def serving(self, service: Mapping[str, Any] | None = None) -> str | None:
        """Return the task definition that serves now, or None; `service` if it has been read already."""
        service = service or self.describe() or {}
        arns = [str(revision["arn"]) for revision in service.get("currentServiceRevisions", ())][:1]
        for revision in self.revisions(arns).values():
            return str(revision["taskDefinition"])
        return service.get("taskDefinition")

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
        """Register a task definition, if it is new; return its ARN, or raise `DeploymentFailed`."""
        found = self.registered(document, tags)
        if found is not None:
            return found
        given = [{"key": key, "value": value} for key, value in tags.items()]
        request = {**document, **({"tags": given} if given else {})}

        def send() -> str:
            self._guard()
            answer = self._sender.register_task_definition(**request)
            return str(answer["taskDefinition"]["taskDefinitionArn"])

        with _refusals():
            return send_once(send, lambda: self.registered(document, tags))

    def registered(self, document: Mapping[str, Any], tags: Mapping[str, str]) -> str | None:
        """Return the newest revision's ARN when it is the same, tags included."""
        newest = self.task_definition(str(document["family"])) if tags and "family" in document else None
        if newest is None or not tags.items() <= newest.tags.items():
            return None
        return None if task_definition_differences(newest.document, document) else newest.arn

    def create(self, **request: Any) -> dict[str, Any]:
        """Create the service and return it; raise `DeploymentFailed` if ECS refuses."""

        def send() -> dict[str, Any]:
            self._guard()
            service: dict[str, Any] = self._sender.create_service(
                cluster=self.cluster, serviceName=self.name, **request
            )["service"]
            return service

        with _refusals():
            return send_once(send, lambda: self._shown(request["taskDefinition"], ()))

    def update(self, *, known: Container[str], **request: Any) -> dict[str, Any]:
        """Start a deployment by an update of the service, and return the service.

        Args:
            known: The ids in the service's `deployments` before; any other is a new one.
            request: Members of UpdateService, `taskDefinition` among them.

        Raises:
            DeploymentFailed: ECS refused the request.
        """

        def send() -> dict[str, Any]:
            self._guard()
            service: dict[str, Any] = self._sender.update_service(
                cluster=self.cluster, service=self.name, **request
            )["service"]
            return service

        with _refusals():
            return send_once(send, lambda: self._shown(request["taskDefinition"], known))

    def configure(self, **settings: Any) -> None:
        """Change settings that start no deployment; raise `DeploymentFailed` if ECS refuses."""
        self._guard()
        with _refusals():
            self.client.update_service(cluster=self.cluster, service=self.name, **settings)

    def _shown(self, task_definition: str, known: Container[str]) -> dict[str, Any] | None:
        """Return the service when it shows a new deployment of a task definition."""
        service = self.describe()
        new = (service or {}).get("deployments", ())
        shown = any(each["taskDefinition"] == task_definition and each["id"] not in known for each in new)
        return service if shown else None

    def answer_hook(self, arn: str, hook: str, action: str) -> bool:
        """Answer a pause hook; return False when ECS no longer waits for it.

        A repeated answer looks like a wrong one, also when the first response was lost.
        """
        self._guard()
        try:
            self.client.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook, action=action)
        except self.client.exceptions.InvalidParameterException:
            return False
        return True

    def stop(self, arn: str) -> bool:
        """Ask ECS to roll a deployment back; return False when it has ended already."""
        from botocore.exceptions import ClientError

        self._guard()
        try:
            self.client.stop_service_deployment(serviceDeploymentArn=arn, stopType="ROLLBACK")
        except ClientError as error:
            if error.response["Error"]["Code"] == "ConflictException":
                return False
            raise
        return True

    def tasks(self, task_definition: str, *, desired: str) -> list[dict[str, Any]]:
        """Return tasks of a task definition: RUNNING, or STOPPED lately, the newest of these first."""
        answer = self.client.list_tasks(
            cluster=self.cluster, serviceName=self.name, desiredStatus=desired, maxResults=100
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
    """Turn ECS's rejection of a request's content into the end of a deployment that has not begun."""
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
