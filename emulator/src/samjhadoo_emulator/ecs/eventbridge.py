"""The events that ECS publishes of deployments, hooks and tasks (AWS: Amazon ECS events).

None is made or sent until a client has made a rule: the local EventBridge starts without any.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecs.deployments.machine import BREAKER_TRIPPED, Status
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.ecs.deployments.machine import Hook, State
    from samjhadoo_emulator.ecs.model import Deployment, Service
    from samjhadoo_emulator.ecs.scheduler.hooks import Spawn
    from samjhadoo_emulator.ecs.tasks import Task
    from samjhadoo_emulator.service import AwsApi, Host

log = logging.getLogger(__name__)
SOURCE = "aws.ecs"
SERVICE_ACTION = "ECS Service Action"
ACTIONS = frozenset({"SERVICE_DEPLOYMENT_ROLLBACK_FAILED"})
"""What AWS publishes as an action of the service, not as a change of a deployment's state."""
MOST_ENTRIES = 10
"""`PutEvents` takes no more in one call."""
RULE_MAKERS = frozenset({"PutRule", "CreateStack", "UpdateStack", "ExecuteChangeSet"})
"""Operations that may make a rule."""


class EventBridgePublisher:
    """Publishes the events of one region, in order and in the background.

    Args:
        host: Knows which operations were passed to the upstream.
        spawn: Runs work in the background.
    """

    def __init__(self, aws: AwsApi, host: Host, spawn: Spawn) -> None:
        self._aws = aws
        self._host = host
        self._spawn = spawn
        self._queue: deque[dict[str, Any]] = deque()
        self._sending = False
        self._tasks: dict[str, tuple[str, ...]] = {}

    @property
    def wanted(self) -> bool:
        """Whether a client may have made a rule."""
        return not RULE_MAKERS.isdisjoint(self._host.passed_on)

    def deployment_changed(self, service: Service, deployment: Deployment, before: State | None) -> None:
        """Publish what changed of a deployment since `before`."""
        if not self.wanted:
            return
        for name, number, reason in _deployment_events(deployment, before):
            detail = {
                "eventType": "ERROR" if name.endswith("FAILED") else "INFO",
                "eventName": name,
                "deploymentId": f"ecs-svc/{number}",
                "updatedAt": self._host.clock.now(),
                "reason": reason,
            }
            kind = SERVICE_ACTION if name in ACTIONS else "ECS Deployment State Change"
            self._put(kind, service.arn, detail)
        for hook in _changed_hooks(deployment.state, before):
            self._put("ECS Hook State Change", service.arn, _hook_detail(service, deployment, hook))

    def steady(self, service: Service) -> None:
        """Publish that a service has reached a steady state."""
        self._action(service, "INFO", "SERVICE_STEADY_STATE")

    def starts_impaired(self, service: Service) -> None:
        """Publish that a service is unable to consistently start tasks successfully."""
        self._action(service, "WARN", "SERVICE_TASK_START_IMPAIRED")

    def _action(self, service: Service, kind: str, name: str) -> None:
        if self.wanted:
            detail = {"eventType": kind, "eventName": name, "clusterArn": service.cluster.arn}
            self._put(SERVICE_ACTION, service.arn, {**detail, "createdAt": self._host.clock.now()})

    def task_changed(self, task: Task) -> None:
        """Publish a task if one of the statuses that AWS's events are about has changed."""
        if not self.wanted:
            return
        statuses = (task.last_status, task.desired_status, *(each.last_status for each in task.containers))
        if self._tasks.get(task.arn) != statuses:
            self._tasks[task.arn] = statuses
            self._put("ECS Task State Change", task.arn, task.describe())
        if task.last_status == "STOPPED":
            self._tasks.pop(task.arn, None)

    def _put(self, detail_type: str, resource: str, detail: dict[str, Any]) -> None:
        self._queue.append(
            {
                "Time": self._host.clock.now(),
                "Source": SOURCE,
                "DetailType": detail_type,
                "Resources": [resource],
                "Detail": json.dumps(detail, default=_written),
            }
        )
        if not self._sending:
            self._sending = True
            self._spawn(self._send(), name="events")

    async def _send(self) -> None:
        try:
            while self._queue:
                entries = [self._queue.popleft() for _ in range(min(MOST_ENTRIES, len(self._queue)))]
                try:
                    await self._aws.call("events", "PutEvents", Entries=entries)
                except AwsError as error:
                    log.warning("sending events: %s", error.message)
        finally:
            self._sending = False


def _deployment_events(deployment: Deployment, before: State | None) -> Iterator[tuple[str, str, str]]:
    """Yield (name, number of the ECS deployment, reason) of the events of a status change."""
    state = deployment.state
    if before is not None and before.status is state.status:
        return
    number = deployment.target.number
    back = deployment.candidate.number if deployment.candidate else ""
    if state.status is Status.IN_PROGRESS:
        yield _progress(number)
    elif state.status is Status.SUCCESSFUL:
        yield _completion(number)
    elif state.status is Status.ROLLBACK_IN_PROGRESS:
        tripped = state.reason.endswith(BREAKER_TRIPPED)
        breaker = f"ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/{back}."
        yield "SERVICE_DEPLOYMENT_FAILED", number, breaker if tripped and back else state.reason
        if back:
            yield _progress(back)
    elif state.status is Status.ROLLBACK_SUCCESSFUL:
        yield _completion(back)
    elif state.status is Status.ROLLBACK_FAILED:
        yield "SERVICE_DEPLOYMENT_ROLLBACK_FAILED", number, state.reason
    elif state.status is Status.STOPPED:
        tripped = state.reason.endswith(BREAKER_TRIPPED)
        breaker = "ECS deployment circuit breaker: tasks failed to start."
        yield "SERVICE_DEPLOYMENT_FAILED", number, breaker if tripped else state.reason


def _progress(number: str) -> tuple[str, str, str]:
    return "SERVICE_DEPLOYMENT_IN_PROGRESS", number, f"ECS deployment ecs-svc/{number} in progress."


def _completion(number: str) -> tuple[str, str, str]:
    return "SERVICE_DEPLOYMENT_COMPLETED", number, f"ECS deployment ecs-svc/{number} completed."


def _changed_hooks(state: State, before: State | None) -> list[Hook]:
    known = {hook.id: hook.status for hook in before.hooks} if before else {}
    return [hook for hook in state.hooks if known.get(hook.id) is not hook.status]


def _hook_detail(service: Service, deployment: Deployment, hook: Hook) -> dict[str, Any]:
    return {
        "eventType": "INFO",
        "eventName": "HOOK_TIMED_OUT" if hook.expired else f"HOOK_{hook.status.value}",
        "hookId": hook.id,
        "hookType": hook.target_type,
        "expiresAt": datetime.fromtimestamp(hook.expires_at, UTC),
        "lifecycleStage": hook.stage.value,
        "clusterArn": service.cluster.arn,
        "serviceArn": service.arn,
        "serviceDeploymentArn": deployment.arn,
        "updatedAt": datetime.fromtimestamp(deployment.state.updated_at, UTC),
    }


def _written(value: Any) -> str:
    """Return a time as events write it."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(type(value).__name__)
