"""Services: create, update, describe, list, delete."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.arns import is_arn
from samjhadoo_emulator.ecs import service_rules, views
from samjhadoo_emulator.ecs.clusters import ClusterOperations
from samjhadoo_emulator.ecs.deployments import machine
from samjhadoo_emulator.ecs.deployments.machine import Plan, State, Status
from samjhadoo_emulator.ecs.deployments.steps import forward_steps
from samjhadoo_emulator.ecs.model import Deployment, Revision, Service, revision_number, service_id
from samjhadoo_emulator.ecs.scheduler import Scheduler
from samjhadoo_emulator.ecs.task_definitions import TaskDefinitionOperations
from samjhadoo_emulator.ecs.tasks.request import launch_type
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECS
from samjhadoo_emulator.service import Params, operation
from samjhadoo_emulator.variants import FIRST_WITHOUT_HOOKS, UNCHANGED_STARTS_NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from samjhadoo_emulator.ecs.eventbridge import EventBridgePublisher


def _sources(service: Service, active: Iterable[Revision]) -> list[Revision]:
    """Return the active revisions, first the one that keeps serving: the last successful, else the one
    with the most production traffic, else the newest.
    """
    current = service.current

    def rank(revision: Revision) -> tuple[bool, bool, float]:
        serving = current is not None and revision is current.target and current.weights[0] > 0
        return (revision is not service.successful, not serving, -revision.created_at.timestamp())

    return sorted(active, key=rank)


def target_groups(service: Service, source: Revision | None) -> list[str]:
    """Return the target groups of a new revision: those that the source does not use, or the first ones."""
    rolling = service.configuration["strategy"] == "ROLLING"
    groups: list[str] = []
    for index, balancer in enumerate(service.workload.get("loadBalancers", [])):
        first = balancer["targetGroupArn"]
        other = (balancer.get("advancedConfiguration") or {}).get("alternateTargetGroupArn")
        used = source.target_groups[index] if source and index < len(source.target_groups) else None
        if rolling or other is None:
            groups.append(used if used is not None and used in (first, other) else first)
        else:
            groups.append(other if used == first else first)
    return groups


WORKLOAD = (
    "taskDefinition", "networkConfiguration", "loadBalancers", "serviceRegistries",
    "serviceConnectConfiguration", "volumeConfigurations", "platformVersion", "vpcLatticeConfigurations",
)  # fmt: skip
"""Members whose presence in UpdateService starts a deployment (botocore's model says so of each)."""
CARRIED = ("launchType", "capacityProviderStrategy")
"""Members that a revision carries too, but that start no deployment."""
SETTINGS = (
    "deploymentConfiguration", "healthCheckGracePeriodSeconds", "enableExecuteCommand",
    "enableECSManagedTags", "propagateTags", "placementConstraints", "placementStrategy",
    "availabilityZoneRebalancing", "schedulingStrategy", "deploymentController", "role",
)  # fmt: skip
DEFAULTS = {
    "schedulingStrategy": "REPLICA",
    "deploymentController": {"type": "ECS"},
    "propagateTags": "NONE",
    "enableECSManagedTags": False,
    "enableExecuteCommand": False,
}
"""What CreateService assumes of settings that are not given."""
DEPLOYMENT_ID_LENGTH = 21
HOOK_ID_LENGTH = 43


class ServiceOperations(ClusterOperations, TaskDefinitionOperations):
    """Operations on services."""

    schedulers: dict[str, Scheduler]
    publisher: EventBridgePublisher
    creations: dict[str, Params]
    """The request with a token that created a service, by its ARN: AWS answers the same one again."""

    def find_service(self, name: str, cluster: str | None) -> Service | None:
        """Return a service by name or ARN, gone ones included."""
        return self.services.get(self.in_cluster("service", name, self.cluster(cluster).name))

    def active_service(self, name: str, cluster: str | None) -> Service:
        """Return an active service.

        Raises:
            AwsError: There is none, or it is being deleted.
        """
        service = self.find_service(name, cluster)
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if service.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        return service

    @operation("CreateService")
    async def create_service(self, params: Params) -> Params:
        cluster = self.cluster(params.get("cluster"))
        service_rules.check_new(params)
        name = params["serviceName"]
        workload = {key: params[key] for key in (*WORKLOAD, *CARRIED) if params.get(key) is not None}
        given = {key: params[key] for key in SETTINGS if params.get(key) is not None}
        settings = copy.deepcopy({**DEFAULTS, **given})
        workload |= cluster.launch(params)
        if launch_type(workload) == "FARGATE":
            workload.setdefault("platformVersion", "LATEST")
        service_rules.check_settings(settings, workload, params.get("desiredCount"))
        definition = self.task_definition(workload["taskDefinition"])
        await service_rules.check_workload(self.aws, definition, workload, settings)
        service = Service(
            arn=self.arn("service", cluster.name, name),
            name=name,
            cluster=cluster,
            created_at=self.clock.now(),
            desired_count=params.get("desiredCount", 1),
            settings=settings,
            workload=workload,
            tags=params.get("tags", []),
        )
        existing = self.services.get(f"{cluster.name}/{name}")
        if existing is not None and existing.status != "INACTIVE":
            if self.creations.get(existing.arn) == params:
                return {"service": self.view(existing, include_tags=True)}
            raise invalid_parameter("Creation of service was not idempotent.")
        self.creations.pop(service.arn, None)
        if params.get("clientToken"):
            self.creations[service.arn] = copy.deepcopy(params)
        self.services[f"{cluster.name}/{name}"] = service
        self.start_deployment(service)
        self.schedule(service)
        return {"service": self.view(service, include_tags=True)}

    def schedule(self, service: Service) -> Scheduler:
        """Start the scheduler of a service, which runs until the service is gone, and return it."""
        scheduler = Scheduler(
            service, self.tasks, self.aws, self.host, publisher=self.publisher, spawn=self.spawn
        )
        self.schedulers[service.arn] = scheduler
        self.spawn(scheduler.run(), name=f"scheduler {service.name}")
        return scheduler

    @operation("UpdateService")
    async def update_service(self, params: Params) -> Params:
        service = self.active_service(params["service"], params.get("cluster"))
        workload = {
            **service.workload,
            **{key: params[key] for key in (*WORKLOAD, *CARRIED) if params.get(key) is not None},
        }
        settings = {
            **service.settings,
            **{key: params[key] for key in SETTINGS if params.get(key) is not None},
        }
        if params.get("deploymentConfiguration") is not None:
            merged = {
                **(service.settings.get("deploymentConfiguration") or {}),
                **params["deploymentConfiguration"],
            }
            settings["deploymentConfiguration"] = _of_strategy(merged, params["deploymentConfiguration"])
        service_rules.check_settings(settings, workload, params.get("desiredCount"))
        # A task definition that the request does not name may be inactive: AWS still scales such services.
        definition = self.task_definition(workload["taskDefinition"], active="taskDefinition" in params)
        await service_rules.check_workload(self.aws, definition, workload, settings)
        if "taskDefinition" in params:
            workload["taskDefinition"] = definition["taskDefinitionArn"]
        triggers = bool(params.get("forceNewDeployment")) or self._starts_deployment(
            service, workload, params
        )
        if (
            self.services.get(f"{service.cluster.name}/{service.name}") is not service
            or service.status != "ACTIVE"
        ):
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        if params.get("desiredCount") is not None:
            service.desired_count = params["desiredCount"]
        service.settings, service.workload = settings, workload
        if triggers:
            self.start_deployment(service)
        self.schedulers[service.arn].wake()
        return {"service": self.view(service, include_tags=True)}

    def _starts_deployment(self, service: Service, workload: dict[str, Any], params: Params) -> bool:
        given = [key for key in WORKLOAD if params.get(key) is not None]
        if UNCHANGED_STARTS_NOTHING in self.host.variants:
            given = [key for key in given if workload[key] != service.workload.get(key)]
        return bool(given or params.get("forceNewDeployment"))

    @operation("DescribeServices")
    async def describe_services(self, params: Params) -> Params:
        names = params["services"]
        if len(names) > 10:  # noqa: PLR2004
            raise invalid_parameter("Services cannot have more than 10 elements.")
        cluster = self.cluster(params.get("cluster"))
        found, failures = [], []
        for name in names:
            service = self.find_service(name, cluster.name)
            if service is None:
                arn = name if is_arn(name) else self.arn("service", cluster.name, name)
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                found.append(self.view(service, include_tags="TAGS" in params.get("include", [])))
        return {"services": found, "failures": failures}

    @operation("ListServices")
    async def list_services(self, params: Params) -> Params:
        cluster = self.cluster(params.get("cluster"))
        arns = [
            service.arn
            for service in self._services_of(cluster)
            if service.status != "INACTIVE"
            and params.get("launchType") in (None, service.workload.get("launchType"))
            and params.get("schedulingStrategy") in (None, service.settings["schedulingStrategy"])
        ]
        return ECS.answer("serviceArns", arns, params, default=10)

    @operation("DeleteService")
    async def delete_service(self, params: Params) -> Params:
        service = self.active_service(params["service"], params.get("cluster"))
        if service.desired_count and not params.get("force"):
            raise invalid_parameter("The service cannot be stopped while it is scaled above 0.")
        service.status, service.desired_count = "DRAINING", 0
        for deployment in service.deployments:
            deployment.state = machine.supersede(deployment.state, self.clock.timestamp())
        self.schedulers[service.arn].wake()
        return {"service": self.view(service, include_tags=True)}

    def view(self, service: Service, *, include_tags: bool) -> dict[str, Any]:
        return views.service_view(service, self.service_counts(service), include_tags=include_tags)

    def service_counts(self, service: Service) -> dict[str, tuple[int, int]]:
        """Return running and pending tasks by revision number."""
        scheduler = self.schedulers.get(service.arn)
        return scheduler.counts() if scheduler else {}

    def start_deployment(self, service: Service) -> Deployment:
        """Make the next revision and its deployment; an ongoing one is superseded (AWS: it goes to
        STOP_REQUESTED, and the new one begins with RECONCILE_SERVICE).
        """
        now = self.clock.timestamp()
        candidate = _rollback_candidate(service)
        active = [revision for revision in service.revisions.values() if revision.desired]
        for deployment in service.deployments:
            deployment.state = machine.supersede(deployment.state, now)
        sources = _sources(service, active)
        source = sources[0] if sources else None
        target = self._revision(service, source)
        configuration = copy.deepcopy(service.configuration)
        plan = Plan(
            configuration=configuration,
            steps=forward_steps(
                configuration,
                has_source=source is not None,
                reconcile=len(active) > 1,
                gate_before_bake=bool(self.host.options.get("gate_before_bake")),
                hooks=bool(sources) or FIRST_WITHOUT_HOOKS not in self.host.variants,
            ),
            has_candidate=candidate is not None,
            new_hook_id=new_hook_id,
            variants=self.host.variants,
        )
        weights = (0.0, 0.0) if len(active) <= 1 else (-1.0, -1.0)  # unknown: RECONCILE_SERVICE sets them
        deployment = Deployment(
            arn=self.arn(
                "service-deployment", service.cluster.name, service.name, service_id(DEPLOYMENT_ID_LENGTH)
            ),
            created_at=self.clock.now(),
            target=target,
            sources=sources,
            candidate=candidate,
            plan=plan,
            state=State(steps=plan.steps, updated_at=now),
            weights=weights,
        )
        service.deployments.append(deployment)
        service.forget(self.clock.now())
        service.steady = False
        return deployment

    def _revision(self, service: Service, source: Revision | None) -> Revision:
        number = revision_number()
        workload = copy.deepcopy(service.workload)
        definition = self.task_definition(workload["taskDefinition"], active=False)
        workload["taskDefinition"] = definition["taskDefinitionArn"]
        workload["definition"] = definition
        revision = Revision(
            arn=self.arn("service-revision", service.cluster.name, service.name, number),
            number=number,
            created_at=self.clock.now(),
            workload=workload,
            target_groups=target_groups(service, source),
        )
        service.revisions[number] = revision
        service.workload["taskDefinition"] = definition["taskDefinitionArn"]
        return revision


def _of_strategy(merged: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Drop the settings of a strategy that the update leaves."""
    for key, owner in (("canaryConfiguration", "CANARY"), ("linearConfiguration", "LINEAR")):
        if merged.get("strategy", "ROLLING") != owner and key not in given:
            merged.pop(key, None)
    return merged


def _rollback_candidate(service: Service) -> Revision | None:
    """Return what a new deployment could be rolled back to: the last successful revision, but none while
    that is itself being rolled back to (AWS: it is no candidate until it is COMPLETED again).
    """
    current = service.current
    returning = current is not None and current.state.status is Status.ROLLBACK_IN_PROGRESS
    return None if returning else service.successful


def new_hook_id(target_type: str) -> str:
    """Return the id of a hook of a type."""
    kind = "pause" if target_type == "PAUSE" else "lambda"
    return f"ecs-{kind}-{service_id(HOOK_ID_LENGTH)}"
