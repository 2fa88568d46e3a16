"""Why a deployment failed, on one screen: stopped tasks, exit codes, last log lines, events, alarms."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.deployment.ecs import EcsService, Registered
    from samjhadoo_ops.deployment.observation import Observation

SHOWN_TASKS = 2
SHOWN_LINES = 10
SHOWN_EVENTS = 6
_SCALED_IN = "Scaling activity initiated by"


@dataclass(frozen=True)
class Diagnosis:
    """What was found, in lines for people."""

    tasks: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """Return the screen."""
        parts = (
            ("stopped tasks of the new release:", self.tasks),
            ("their last log lines:", self.logs),
            ("alarms that fired:", self.alarms),
            ("last events of the service:", self.events),
            ("could not be read:", self.gaps),
        )
        return tuple(
            line for title, found in parts if found for line in (title, *(f"  {text}" for text in found))
        )


def diagnose(ecs: EcsService, logs: Any, observed: Observation, *, task_definition: str) -> Diagnosis:
    """Gather why a deployment failed; what can't be read is named, never raised.

    Args:
        logs: A boto3 CloudWatch Logs client.
        task_definition: The new release's.

    """
    gaps: list[str] = []

    def attempt(what: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except Exception as error:  # noqa: BLE001  # the deployment's failure is what matters, not this one
            gaps.append(f"{what}: {error}")
            return otherwise

    stopped = attempt("stopped tasks", lambda: ecs.stopped_tasks(task_definition), [])
    # What the rollback itself stopped tells nothing; its logs may.
    failed = [task for task in stopped if not task.get("stoppedReason", "").startswith(_SCALED_IN)]
    tasks = (failed or stopped)[:SHOWN_TASKS]
    registered = (
        attempt("task definition", lambda: ecs.task_definition(task_definition), None) if tasks else None
    )
    lines: list[str] = []
    for task in tasks[:1]:
        lines += attempt("logs", partial(log_lines, logs, registered, task), [])
    events = attempt("events", lambda: service_events(ecs, observed), [])
    return Diagnosis(
        tasks=tuple(stopped_line(task) for task in failed[:SHOWN_TASKS]),
        logs=tuple(lines),
        events=tuple(events),
        alarms=observed.triggered_alarms,
        gaps=tuple(gaps),
    )


def stopped_line(task: Mapping[str, Any]) -> str:
    """Return a stopped task in one line: id, reason, each container's exit code and reason."""
    task_id = str(task["taskArn"]).rpartition("/")[2]
    containers = []
    for container in task.get("containers", ()):
        code = container.get("exitCode")
        said = f"exit code {code}" if code is not None else "no exit code"
        reason = f", {container['reason']}" if container.get("reason") else ""
        containers.append(f"{container['name']}: {said}{reason}")
    return f"{task_id}: {task.get('stoppedReason', 'no reason given')} ({'; '.join(containers)})"


def service_events(ecs: EcsService, observed: Observation) -> list[str]:
    """Return what the service said since the deployment started, the newest last."""
    service = ecs.describe() or {}
    since = observed.started_at or observed.created_at
    events = [event for event in service.get("events", ()) if since is None or event["createdAt"] >= since]
    return [event["message"] for event in reversed(events[:SHOWN_EVENTS])]


def log_lines(logs: Any, registered: Registered | None, task: Mapping[str, Any]) -> list[str]:
    """Return the last log lines of a task's containers, found by the `awslogs` options."""
    lines: list[str] = []
    task_id = str(task["taskArn"]).rpartition("/")[2]
    for container in registered.document.get("containerDefinitions", ()) if registered else ():
        options = container.get("logConfiguration", {}).get("options", {})
        if container.get("logConfiguration", {}).get("logDriver") != "awslogs" or not options:
            continue
        try:
            answer = logs.get_log_events(
                logGroupName=options["awslogs-group"],
                logStreamName=f"{options.get('awslogs-stream-prefix', 'ecs')}/{container['name']}/{task_id}",
                limit=SHOWN_LINES,
                startFromHead=False,
            )
        except logs.exceptions.ResourceNotFoundException:
            continue  # a container that never started has no log
        lines += [event["message"].rstrip() for event in answer["events"]]
    return lines[-SHOWN_LINES:]
