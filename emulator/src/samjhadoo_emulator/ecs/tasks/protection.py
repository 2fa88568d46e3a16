"""What is done to single running tasks: protection from scale-in, and commands in their containers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.service import LiveService, Params, operation

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.ecs.tasks.store import Tasks
    from samjhadoo_emulator.ecs.tasks.task import Task

MOST_PROTECTED = 10
DEFAULT_MINUTES, MOST_MINUTES = 120, 2880


class ProtectionOperations(LiveService):
    """Operations on running tasks, inherited by the ECS service.

    Attributes:
        tasks: The region's tasks.
        cluster: Returns a cluster (with `arn` and `name`) by name or ARN, the default one for None.
        find_task: Returns a task of a cluster by ARN or id.
        task_arn: Returns the ARN of a task that does not exist.
    """

    tasks: Tasks
    cluster: Callable[..., Any]
    find_task: Callable[[str, str], Task | None]
    task_arn: Callable[[str, str], str]

    @operation("UpdateTaskProtection")
    async def update_task_protection(self, params: Params) -> Params:
        minutes = params.get("expiresInMinutes", DEFAULT_MINUTES)
        if not 1 <= minutes <= MOST_MINUTES:
            raise invalid_parameter(
                f"Invalid expiresInMinutes: {minutes}. Valid values are between 1 and {MOST_MINUTES}."
            )
        now = self.clock.now()
        until = now + timedelta(minutes=minutes) if params["protectionEnabled"] else None

        return self._of_service_tasks(params, lambda task: self.tasks.protect(task, until), now)

    @operation("GetTaskProtection")
    async def get_task_protection(self, params: Params) -> Params:
        return self._of_service_tasks(params, lambda _task: None, self.clock.now())

    def _of_service_tasks(self, params: Params, act: Callable[[Task], None], now: datetime) -> Params:
        names = params.get("tasks") or []
        if not 1 <= len(names) <= MOST_PROTECTED:
            raise invalid_parameter(f"Tasks must contain between 1 and {MOST_PROTECTED} elements.")
        cluster = self.cluster(params["cluster"])
        protected, failures = [], []
        for name in names:
            task = self.find_task(cluster.arn, name)
            if task is None:
                failures.append({"arn": self.task_arn(cluster.name, name), "reason": "MISSING"})
            elif not task.group.startswith("service:") or task.desired_status == "STOPPED":
                detail = "The task is not part of a service, or is being stopped."
                failures.append({"arn": task.arn, "reason": "TASK_NOT_VALID", "detail": detail})
            else:
                act(task)
                protected.append(_protection(task, now))
        return {"protectedTasks": protected, "failures": failures}

    @operation("ExecuteCommand")
    async def execute_command(self, params: Params) -> Params:
        """Refuse to open a session, as AWS does where the agent in the container cannot be reached."""
        cluster = self.cluster(params.get("cluster"))
        task = self.find_task(cluster.arn, params["task"])
        if task is None or task.last_status == "STOPPED":
            raise invalid_parameter("The referenced task was not found.")
        name = params.get("container")
        if name and task.container(name) is None:
            raise invalid_parameter(f"The container {name} was not found in the task.")
        if not task.request.enable_execute_command:
            raise invalid_parameter(
                "The execute command failed because execute command was not enabled when the task was run "
                "or the execute command agent isn\u2019t running. Wait and try again or run a new task with "
                "execute command enabled and try again."
            )
        raise AwsError(
            "TargetNotConnectedException",
            "The execute command failed due to an internal error. Try again later.",
        )


def _protection(task: Task, now: datetime) -> dict[str, Any]:
    protected = task.protected(now)
    found: dict[str, Any] = {"taskArn": task.arn, "protectionEnabled": protected}
    return found | ({"expirationDate": task.protected_until} if protected else {})
