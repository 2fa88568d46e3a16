"""Services, revisions and deployments as clients see them: botocore's shapes from the model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.deployments import breaker
from samjhadoo_emulator.ecs.deployments.machine import State, Status
from samjhadoo_emulator.ecs.tasks.request import launch_type
from samjhadoo_emulator.variants import IGNORED_ALARMS_MONITORED

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.model import Deployment, Revision, Service

SERVICE_ROLE = "aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
Counts = tuple[int, int]
"""Running and pending tasks."""

_DEPLOYMENT_MEMBERS = (
    "capacityProviderStrategy", "launchType", "platformVersion", "networkConfiguration",
    "serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations",
)  # fmt: skip
_SERVICE_MEMBERS = (
    "placementConstraints", "placementStrategy", "schedulingStrategy", "deploymentController",
    "enableECSManagedTags", "propagateTags", "enableExecuteCommand", "availabilityZoneRebalancing",
    "healthCheckGracePeriodSeconds",
)  # fmt: skip


def moment(timestamp: float | None) -> datetime | None:
    """Return a Unix time as a datetime."""
    return None if timestamp is None else datetime.fromtimestamp(timestamp, UTC)


def present(members: dict[str, Any]) -> dict[str, Any]:
    """Return members without those that have no value."""
    return {key: value for key, value in members.items() if value is not None}


def service_view(service: Service, counts: dict[str, Counts], *, include_tags: bool) -> dict[str, Any]:
    """Return `Service`."""
    partition, account = service.arn.split(":")[1:5:3]
    primary = service.primary
    workload = primary.workload if primary else service.workload
    current = service.current
    return present(
        {
            "serviceArn": service.arn,
            "serviceName": service.name,
            "clusterArn": service.cluster.arn,
            "status": service.status,
            "desiredCount": service.desired_count,
            "runningCount": sum(running for running, _ in counts.values()),
            "pendingCount": sum(pending for _, pending in counts.values()),
            "taskDefinition": workload["taskDefinition"],
            "loadBalancers": service.workload.get("loadBalancers", []),
            "serviceRegistries": service.workload.get("serviceRegistries", []),
            **{key: workload.get(key) for key in _DEPLOYMENT_MEMBERS[:4]},
            "platformFamily": "Linux" if launch_type(workload) == "FARGATE" else None,
            **{key: service.settings.get(key) for key in _SERVICE_MEMBERS},
            "roleArn": f"arn:{partition}:iam::{account}:role/{SERVICE_ROLE}",
            "createdAt": service.created_at,
            "createdBy": f"arn:{partition}:iam::{account}:root",
            "deploymentConfiguration": service.configuration,
            "deployments": deployments_view(service, counts),
            "events": list(service.events),
            "currentServiceDeployment": current.arn if current else None,
            "currentServiceRevisions": [
                {
                    "arn": revision.arn,
                    "requestedTaskCount": revision.desired,
                    "runningTaskCount": counts.get(revision.number, (0, 0))[0],
                    "pendingTaskCount": counts.get(revision.number, (0, 0))[1],
                }
                for revision in active_revisions(service, counts)
            ],
            "tags": service.tags if include_tags else None,
        }
    )


def active_revisions(service: Service, counts: dict[str, Counts]) -> list[Revision]:
    """Return the revisions that are wanted or still run, the primary first, then the newest."""
    primary = service.primary
    return sorted(
        (
            revision
            for revision in service.revisions.values()
            if revision is primary or revision.desired or any(counts.get(revision.number, (0, 0)))
        ),
        key=lambda revision: (revision is not primary, -revision.created_at.timestamp()),
    )


def deployments_view(service: Service, counts: dict[str, Counts]) -> list[dict[str, Any]]:
    """Return `Service.deployments`: one entry for each active revision."""
    if service.status == "INACTIVE":
        return []
    return [
        _deployment_of_service(service, revision, counts) for revision in active_revisions(service, counts)
    ]


def _deployment_of_service(service: Service, revision: Revision, counts: dict[str, Counts]) -> dict[str, Any]:
    running, pending = counts.get(revision.number, (0, 0))
    state, reason = _rollout(service, revision)
    return present(
        {
            "id": f"ecs-svc/{revision.number}",
            "status": "PRIMARY" if revision is service.primary else "ACTIVE",
            "taskDefinition": revision.task_definition,
            "desiredCount": service.desired_count if revision is service.primary else revision.desired,
            "runningCount": running,
            "pendingCount": pending,
            "failedTasks": revision.failed_tasks,
            "createdAt": revision.created_at,
            "updatedAt": revision.updated_at or revision.created_at,
            **{key: revision.workload.get(key) for key in _DEPLOYMENT_MEMBERS},
            "platformFamily": "Linux" if launch_type(revision.workload) == "FARGATE" else None,
            "rolloutState": state,
            "rolloutStateReason": reason,
        }
    )


def _rollout(service: Service, revision: Revision) -> tuple[str, str]:
    name = f"ECS deployment ecs-svc/{revision.number}"
    deployment = next((each for each in reversed(service.deployments) if each.target is revision), None)
    current = service.current
    going_back = current is not None and current.candidate is revision and current.state.rolling_back
    if going_back and current is not None and current.ongoing:
        return "IN_PROGRESS", f"{name} in progress."
    if deployment is None or going_back:
        return "COMPLETED", f"{name} completed."
    if deployment.state.status is Status.SUCCESSFUL:
        return "COMPLETED", f"{name} completed."
    if deployment.ongoing and not deployment.state.rolling_back:
        return "IN_PROGRESS", f"{name} in progress."
    return "FAILED", deployment.state.reason


def revision_view(service: Service, revision: Revision, definition: dict[str, Any] | None) -> dict[str, Any]:
    """Return `ServiceRevision`, with the target group that this revision really uses."""
    balancers = revision.workload.get("loadBalancers", [])
    resolved = [
        present(
            {
                "targetGroupArn": target_group,
                "productionListenerRule": (balancer.get("advancedConfiguration") or {}).get(
                    "productionListenerRule"
                ),
            }
        )
        for balancer, target_group in zip(balancers, revision.target_groups, strict=True)
    ]
    return present(
        {
            "serviceRevisionArn": revision.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "taskDefinition": revision.task_definition,
            **{key: revision.workload.get(key) for key in _DEPLOYMENT_MEMBERS},
            "platformFamily": "Linux" if launch_type(revision.workload) == "FARGATE" else None,
            "loadBalancers": balancers,
            "serviceRegistries": revision.workload.get("serviceRegistries", []),
            "containerImages": [
                _container_image(container)
                for container in (definition or {}).get("containerDefinitions", [])
            ],
            "guardDutyEnabled": False,
            "createdAt": revision.created_at,
            "resolvedConfiguration": {"loadBalancers": resolved} if resolved else None,
        }
    )


def _container_image(container: dict[str, Any]) -> dict[str, Any]:
    image = container["image"]
    digest = image.partition("@")[2]
    return present({"containerName": container["name"], "image": image, "imageDigest": digest or None})


def brief_view(service: Service, deployment: Deployment) -> dict[str, Any]:
    """Return `ServiceDeploymentBrief`."""
    state = deployment.state
    return present(
        {
            "serviceDeploymentArn": deployment.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "startedAt": moment(state.started_at),
            "createdAt": deployment.created_at,
            "finishedAt": moment(state.finished_at),
            "targetServiceRevisionArn": deployment.target.arn,
            "status": state.status.value,
            "statusReason": state.reason or None,
        }
    )


def deployment_view(service: Service, deployment: Deployment, counts: dict[str, Counts]) -> dict[str, Any]:
    """Return `ServiceDeployment`."""
    state = deployment.state
    rolling = deployment.plan.configuration.get("strategy", "ROLLING") == "ROLLING"
    shares = _shares(deployment)
    return present(
        {
            "serviceDeploymentArn": deployment.arn,
            "serviceArn": service.arn,
            "clusterArn": service.cluster.arn,
            "createdAt": deployment.created_at,
            "startedAt": moment(state.started_at),
            "finishedAt": moment(state.finished_at),
            "stoppedAt": moment(state.stopped_at),
            "updatedAt": moment(state.updated_at) or deployment.created_at,
            "sourceServiceRevisions": [
                _summary(source, counts, None if rolling else shares[source.number])
                for source in deployment.sources
            ],
            "targetServiceRevision": _summary(
                deployment.target, counts, None if rolling else shares[deployment.target.number]
            ),
            "status": state.status.value,
            "statusReason": state.reason or None,
            "lifecycleStage": None if rolling or state.status is Status.PENDING else state.step.stage.value,
            "lifecycleHookDetails": _hooks(state),
            "deploymentConfiguration": deployment.plan.configuration,
            "rollback": _rollback(deployment),
            "deploymentCircuitBreaker": _breaker(service, deployment),
            "alarms": _alarms(deployment),
        }
    )


def _shares(deployment: Deployment) -> dict[str, tuple[float, float]]:
    """Return each revision's percentages of production and test traffic, which sum to 100.

    Of several sources the first keeps serving. Until RECONCILE_SERVICE has put the rules right, the target
    has no share.
    """
    production, test = (max(0.0, weight) for weight in deployment.weights)
    shares = {source.number: (0.0, 0.0) for source in deployment.sources}
    if deployment.sources:
        shares[deployment.sources[0].number] = (round(100 - production, 1), round(100 - test, 1))
    return shares | {deployment.target.number: (production, test)}


def _summary(
    revision: Revision, counts: dict[str, Counts], weights: tuple[float, float] | None
) -> dict[str, Any]:
    running, pending = counts.get(revision.number, (0, 0))
    view: dict[str, Any] = {
        "arn": revision.arn,
        "requestedTaskCount": revision.desired,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    }
    if weights is not None:
        view["requestedProductionTrafficWeight"], view["requestedTestTrafficWeight"] = weights
    return view


def _hooks(state: State) -> list[dict[str, Any]] | None:
    if not state.hooks:
        return None
    return [
        present(
            {
                "hookId": hook.id,
                "targetType": hook.target_type,
                "targetArn": hook.target_arn or None,
                "status": hook.status.value,
                "expiresAt": moment(hook.expires_at),
                "timeoutAction": hook.timeout_action,
            }
        )
        for hook in state.hooks
    ]


def _rollback(deployment: Deployment) -> dict[str, Any] | None:
    state = deployment.state
    if state.rollback_started_at is None:
        return None
    return present(
        {
            "reason": state.rollback_reason,
            "startedAt": moment(state.rollback_started_at),
            "serviceRevisionArn": deployment.candidate.arn if deployment.candidate else None,
        }
    )


def _breaker(service: Service, deployment: Deployment) -> dict[str, Any]:
    configuration = deployment.plan.breaker
    limit = breaker.threshold(configuration, service.desired_count)
    count = deployment.breaker.failures
    if not configuration.get("enable"):
        return {"status": "DISABLED", "failureCount": count, "threshold": limit}
    tripped = count >= limit
    return {
        "status": "TRIGGERED" if tripped else "MONITORING" if deployment.ongoing else "MONITORING_COMPLETE",
        "failureCount": count,
        "threshold": limit,
    }


def _alarms(deployment: Deployment) -> dict[str, Any] | None:
    configuration = deployment.plan.configuration.get("alarms") or {}
    if not configuration:
        return None
    triggered = deployment.state.triggered_alarms
    ignored = deployment.alarms_ignored and IGNORED_ALARMS_MONITORED not in deployment.plan.variants
    if not configuration.get("enable") or ignored:
        status = "DISABLED"
    elif triggered:
        status = "TRIGGERED"
    else:
        status = "MONITORING" if deployment.ongoing else "MONITORING_COMPLETE"
    return {
        "status": status,
        "alarmNames": configuration.get("alarmNames", []),
        "triggeredAlarmNames": list(triggered),
    }
