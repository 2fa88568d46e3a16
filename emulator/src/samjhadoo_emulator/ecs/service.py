"""The ECS service: its state, its operations and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.ecs.capacity import CapacityOperations
from samjhadoo_emulator.ecs.clusters import ClusterOperations
from samjhadoo_emulator.ecs.deployment_operations import DeploymentOperations
from samjhadoo_emulator.ecs.eventbridge import EventBridgePublisher
from samjhadoo_emulator.ecs.runtime import runtime_for
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.ecs.task_definitions import TaskDefinitionOperations
from samjhadoo_emulator.ecs.tasks import Task, TaskOperations, Tasks
from samjhadoo_emulator.ecs.utilization import Utilization
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.service import Params, operation

if TYPE_CHECKING:
    import asyncio

    from samjhadoo_emulator.service import AwsApi, Host


class TagOperations(ClusterOperations, TaskDefinitionOperations):
    """Operations on tags."""

    def _tags(self, arn: str) -> list[dict[str, str]]:
        kind = self.home().resource(arn).partition("/")[0]
        if kind == "service":
            for service in self.services.values():
                if service.arn == arn:
                    return service.tags
            raise AwsError("ServiceNotFoundException", "Service not found.")
        if kind == "task":
            if arn not in self.tasks.tasks:
                raise AwsError("ResourceNotFoundException", "The specified task is not found.")
            return self.tasks.tasks[arn].tags
        if kind not in ("cluster", "task-definition"):
            raise invalid_parameter("Invalid ARN")
        if kind == "cluster":
            return self.tags.setdefault(self.cluster(arn).arn, [])
        return self.tags.setdefault(self.task_definition(arn, active=False)["taskDefinitionArn"], [])

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Params:
        tags = self._tags(params["resourceArn"])
        check_tags(params["tags"], tags)
        given = {tag["key"]: tag for tag in params["tags"]}
        tags[:] = [*(tag for tag in tags if tag["key"] not in given), *given.values()]
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Params:
        tags = self._tags(params["resourceArn"])
        tags[:] = [tag for tag in tags if tag["key"] not in params["tagKeys"]]
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Params:
        return {"tags": list(self._tags(params["resourceArn"]))}


class Ecs(CapacityOperations, DeploymentOperations, TaskOperations, TagOperations):
    """ECS in one region."""

    name: ClassVar[str] = "ecs"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.clusters = {}
        self.definitions = {}
        self.services = {}
        self.schedulers = {}
        self.creations = {}
        self.tags = {}
        self.tasks = Tasks(host, region, aws, self.spawn, runtime_for(host))
        self.publisher = EventBridgePublisher(aws, host, self.spawn)
        self.tasks.subscribe(self._task_changed)
        self.utilization = Utilization(self.tasks.tasks, aws, host.clock)
        self._measuring: asyncio.Task[None] | None = None
        self.tasks.subscribe(self.publisher.task_changed)

    def clock_jumped(self) -> None:
        for scheduler in self.schedulers.values():
            scheduler.clock_jumped()

    async def stop(self) -> None:
        """End the schedulers first, so that none restarts what is being stopped, then every task."""
        await super().stop()
        await self.tasks.close()

    def dump(self) -> dict[str, Any]:
        """Return what the state endpoint shows."""
        return {
            "services": {
                name: {
                    "status": service.status,
                    "desired": service.desired_count,
                    "tasks": self.service_counts(service),
                    "deployment": service.current.state.status.value if service.current else None,
                }
                for name, service in self.services.items()
            }
        }

    def _task_changed(self, task: Task) -> None:
        kind, _, name = task.group.partition(":")
        if kind == "service":
            self._measure(task)
            service = self.services.get(f"{task.cluster_arn.rpartition('/')[2]}/{name}")
            if service is not None and service.arn in self.schedulers:
                self.schedulers[service.arn].wake()

    def _measure(self, task: Task) -> None:
        """Have utilization measured while services have tasks that really run."""
        idle = self._measuring is None or self._measuring.done()
        if idle and self.tasks.runtime.real and task.last_status == "RUNNING":
            self._measuring = self.spawn(self.utilization.publish(), name=f"ecs-metrics-{self.region}")
