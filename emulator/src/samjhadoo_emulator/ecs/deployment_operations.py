"""Service deployments and revisions: list, describe, continue, stop."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs import views
from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import TERMINAL, Status
from samjhadoo_emulator.ecs.services import ServiceOperations
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECS
from samjhadoo_emulator.service import Params, operation

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Deployment, Revision, Service

_HOOK_ID = re.compile(r"ecs-(pause|lambda)-[A-Za-z0-9_-]+\Z")
DESCRIBE_LIMIT = 20
UNKNOWN_HOOK = (
    "Provided hookId is either completed, unavailable, or not associated with the given Resource ARN"
)


class DeploymentOperations(ServiceOperations):
    """Operations on service deployments and revisions."""

    @operation("ListServiceDeployments")
    async def list_service_deployments(self, params: Params) -> Params:
        service = self.find_service(params["service"], params.get("cluster"))
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        statuses = params.get("status") or [status.value for status in Status]
        window = params.get("createdAt") or {}
        briefs = [
            views.brief_view(service, deployment)
            for deployment in reversed(service.deployments)
            if deployment.in_history(self.clock.now())
            and deployment.state.status in statuses
            and ("after" not in window or deployment.created_at >= window["after"])
            and ("before" not in window or deployment.created_at <= window["before"])
        ]
        return ECS.answer("serviceDeployments", briefs, params, default=20)

    @operation("DescribeServiceDeployments")
    async def describe_service_deployments(self, params: Params) -> Params:
        found, failures = [], []
        for arn in _limited(params["serviceDeploymentArns"], "serviceDeploymentArns"):
            match self._find(arn):
                case (service, deployment):
                    found.append(views.deployment_view(service, deployment, self.service_counts(service)))
                case None:
                    failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceDeployments": found, "failures": failures}

    @operation("DescribeServiceRevisions")
    async def describe_service_revisions(self, params: Params) -> Params:
        found, failures = [], []
        for arn in _limited(params["serviceRevisionArns"], "serviceRevisionArns"):
            match self._find_revision(arn):
                case (service, revision):
                    found.append(views.revision_view(service, revision, revision.workload.get("definition")))
                case None:
                    failures.append({"arn": arn, "reason": "MISSING"})
        return {"serviceRevisions": found, "failures": failures}

    @operation("ContinueServiceDeployment")
    async def continue_service_deployment(self, params: Params) -> Params:
        service, deployment = self._existing(params["serviceDeploymentArn"])
        if not _HOOK_ID.match(params["hookId"]):
            raise invalid_parameter("Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}")
        if deployment.state.status in TERMINAL:
            raise invalid_parameter(
                "Continuing a service deployment is not allowed for service deployment in terminal states."
            )
        succeeded = params.get("action", "CONTINUE") == "CONTINUE"
        state = machine.answer_hook(
            deployment.state, params["hookId"], succeeded=succeeded, now=self.clock.timestamp()
        )
        if state is None:
            raise invalid_parameter(UNKNOWN_HOOK)
        deployment.state = state
        self.schedulers[service.arn].wake()
        return {"serviceDeploymentArn": deployment.arn}

    @operation("StopServiceDeployment")
    async def stop_service_deployment(self, params: Params) -> Params:
        service, deployment = self._existing(params["serviceDeploymentArn"])
        if params.get("stopType", "ROLLBACK") != "ROLLBACK":
            raise invalid_parameter("Invalid stopType. The valid values are ROLLBACK.")
        if deployment.state.status in TERMINAL:
            raise AwsError(
                "ConflictException",
                f"The service deployment is in a terminal state: {deployment.state.status}.",
            )
        deployment.state = machine.request_rollback(deployment.state, self.clock.timestamp())
        self.schedulers[service.arn].wake()
        return {"serviceDeploymentArn": deployment.arn}

    def _existing(self, arn: str) -> tuple[Service, Deployment]:
        found = self._find(arn)
        if found is None:
            raise AwsError("ServiceDeploymentNotFoundException", "The service deployment does not exist.")
        return found

    def _find(self, arn: str) -> tuple[Service, Deployment] | None:
        service = self._service_of(arn)
        for deployment in service.deployments if service else ():
            if deployment.arn == arn and deployment.in_history(self.clock.now()):
                assert service is not None  # noqa: S101
                return service, deployment
        return None

    def _find_revision(self, arn: str) -> tuple[Service, Revision] | None:
        service = self._service_of(arn)
        revision = service.revisions.get(arn.rpartition("/")[2]) if service else None
        return (service, revision) if service and revision and revision.arn == arn else None

    def _service_of(self, arn: str) -> Service | None:
        """Return the service that a deployment or revision ARN names (`…/cluster/service/id`)."""
        parts = arn.split("/")
        return self.services.get(f"{parts[1]}/{parts[2]}") if len(parts) == 4 else None  # noqa: PLR2004


def _limited(arns: list[str], name: str) -> list[Any]:
    if len(arns) > DESCRIBE_LIMIT:
        raise invalid_parameter(f"{name} cannot have more than {DESCRIBE_LIMIT} elements.")
    return arns
