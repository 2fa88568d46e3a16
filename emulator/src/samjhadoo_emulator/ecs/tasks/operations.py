"""The operations on tasks: RunTask, StartTask, StopTask, DescribeTasks, ListTasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.arns import is_arn
from samjhadoo_emulator.ecs import service_rules
from samjhadoo_emulator.ecs.tag_rules import check_tags
from samjhadoo_emulator.ecs.tasks.protection import ProtectionOperations
from samjhadoo_emulator.ecs.tasks.request import TaskRequest, launch_type
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECS
from samjhadoo_emulator.service import Params, operation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from samjhadoo_emulator.ecs.tasks.store import Tasks
    from samjhadoo_emulator.ecs.tasks.task import Task

MOST_STARTED = 10
MOST_DESCRIBED = 100
MOST_LISTED = 100
STOPPED_BY_USER = "Task stopped by user"


class TaskOperations(ProtectionOperations):
    """Operations on tasks, inherited by the ECS service.

    Attributes:
        tasks: The region's tasks.
        cluster: Returns a cluster (with `arn` and `name`) by name or ARN, the default one for None.
        in_cluster: Returns `cluster/id` of a task's id or ARN.
        task_definition: Returns an active task definition by family, `family:revision` or ARN.
    """

    tasks: Tasks
    cluster: Callable[..., Any]
    in_cluster: Callable[[str, str, str], str]
    task_definition: Callable[..., dict[str, Any]]
    _run_task_tokens: dict[str, tuple[str, list[Task]]]

    @operation("RunTask")
    async def run_task(self, params: Params) -> Params:
        """Start up to ten tasks."""
        count = params.get("count", 1)
        if not 1 <= count <= MOST_STARTED:
            raise invalid_parameter(f"count must be between 1 and {MOST_STARTED}")
        request = self._task_request(params)

        def start() -> list[Task]:
            return [self.tasks.start(request) for _ in range(count)]

        token = params.get("clientToken")
        started = self._once_for_token(token, params, start) if token else start()
        return {"tasks": [_task_view(task, with_tags=True) for task in started], "failures": []}

    @operation("StartTask")
    async def start_task(self, params: Params) -> Params:
        """Start a task on container instances: there are none here, so that every one is missing."""
        self.cluster(params.get("cluster"))
        self.task_definition(params["taskDefinition"])
        instances = params["containerInstances"]
        if not 1 <= len(instances) <= MOST_STARTED:
            raise invalid_parameter(
                f"Container instances must contain between 1 and {MOST_STARTED} elements."
            )
        return {"tasks": [], "failures": [{"arn": each, "reason": "MISSING"} for each in instances]}

    @operation("StopTask")
    async def stop_task(self, params: Params) -> Params:
        cluster = self.cluster(params.get("cluster"))
        task = self.find_task(cluster.arn, params["task"])
        if task is None:
            raise invalid_parameter("The referenced task was not found.")
        self.tasks.stop(task, reason=params.get("reason") or STOPPED_BY_USER, code="UserInitiated")
        return {"task": _task_view(task, with_tags=True)}

    @operation("DescribeTasks")
    async def describe_tasks(self, params: Params) -> Params:
        """Describe up to a hundred tasks of a cluster."""
        names = params["tasks"]
        if not names:
            raise invalid_parameter("Tasks cannot be empty.")
        if len(names) > MOST_DESCRIBED:
            raise invalid_parameter(f"Tasks cannot contain more than {MOST_DESCRIBED} elements.")
        cluster = self.cluster(params.get("cluster"))
        with_tags = "TAGS" in params.get("include", [])
        found, failures = [], []
        for name in names:
            task = self.find_task(cluster.arn, name)
            if task is None:
                failures.append({"arn": self.task_arn(cluster.name, name), "reason": "MISSING"})
            else:
                found.append(_task_view(task, with_tags=with_tags))
        return {"tasks": found, "failures": failures}

    @operation("ListTasks")
    async def list_tasks(self, params: Params) -> Params:
        cluster = self.cluster(params.get("cluster"))
        size = params.get("maxResults") or MOST_LISTED
        if not 1 <= size <= MOST_LISTED:
            raise invalid_parameter(f"maxResults must be between 1 and {MOST_LISTED}.")
        after = ECS.position(params)  # the number of the last task of the page before
        listed = _listed(self.tasks.tasks.values(), cluster.arn, params)
        tasks = [task for task in listed if task.number > after]
        answer: Params = {"taskArns": [task.arn for task in tasks[:size]]}
        if len(tasks) > size:
            answer |= ECS.member(tasks[size - 1].number)
        return answer

    def _task_request(self, params: Params) -> TaskRequest:
        cluster = self.cluster(params.get("cluster"))
        definition = self.task_definition(params["taskDefinition"])
        params = params | cluster.launch(params)
        service_rules.check_run(definition, params)
        overrides = params.get("overrides") or {}
        service_rules.check_overrides(overrides, definition)
        check_tags(params.get("tags") or [])
        strategy = params.get("capacityProviderStrategy") or []
        return TaskRequest(
            cluster_arn=cluster.arn,
            cluster_name=cluster.name,
            task_definition=definition,
            group=params.get("group") or f"family:{definition['family']}",
            started_by=params.get("startedBy", ""),
            overrides=overrides,
            launch_type=launch_type(params),
            network_configuration=params.get("networkConfiguration"),
            tags=params.get("tags") or [],
            enable_execute_command=bool(params.get("enableExecuteCommand")),
            capacity_provider=strategy[0]["capacityProvider"] if strategy else "",
        )

    def _once_for_token(self, token: str, params: Params, start: Callable[[], list[Task]]) -> list[Task]:
        """Start tasks once for a client token."""
        if not hasattr(self, "_run_task_tokens"):
            self._run_task_tokens = {}
        asked = json.dumps(params, sort_keys=True, default=str)
        if token not in self._run_task_tokens:
            self._run_task_tokens[token] = (asked, start())
        before, tasks = self._run_task_tokens[token]
        if before != asked:
            raise AwsError(
                "ConflictException",
                "The RunTask request could not be processed due to conflicts. The provided clientToken is "
                "already in use with a different RunTask request.",
                resourceIds=[task.arn for task in tasks],
            )
        return tasks

    def find_task(self, cluster_arn: str, name: str) -> Task | None:
        """Return a task of a cluster by ARN or id."""
        path = self.in_cluster("task", name, cluster_arn.rpartition("/")[2])
        return self.tasks.tasks.get(f"{self.home().prefix}task/{path}")

    def task_arn(self, cluster_name: str, name: str) -> str:
        return name if is_arn(name) else f"{self.home().prefix}task/{cluster_name}/{name}"


def _task_view(task: Task, *, with_tags: bool) -> dict[str, Any]:
    return task.describe() | ({"tags": task.tags} if with_tags else {})


def _listed(tasks: Iterable[Task], cluster_arn: str, params: Params) -> Iterable[Task]:
    """Return the tasks that the filters of ListTasks name; `desiredStatus` is RUNNING by default."""
    wanted = {
        "cluster_arn": cluster_arn,
        "family": params.get("family"),
        "group": f"service:{params['serviceName'].rpartition('/')[2]}" if params.get("serviceName") else None,
        "started_by": params.get("startedBy"),
        "launch_type": params.get("launchType"),
        "desired_status": params.get("desiredStatus", "RUNNING"),
    }
    filters = {name: value for name, value in wanted.items() if value}
    # No task runs on a container instance or belongs to a daemon here.
    if params.get("containerInstance") or params.get("daemonName"):
        return []
    return [task for task in tasks if all(getattr(task, name) == value for name, value in filters.items())]
