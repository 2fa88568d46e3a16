"""Why a deployment failed, gathered from ECS, CloudWatch and the journal: what a screen has room for."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.database.effects import Compatibility
from samjhadoo_ops.database.judge import recorded_judgement
from samjhadoo_ops.redaction import clean
from samjhadoo_ops.report.failure import Alarm, FailureReport, StartingTasks, StoppedContainer, StoppedTask

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.ecs import EcsService, Registered
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.outcome import Observation
    from samjhadoo_ops.deployment.run import ServiceContext

SHOWN_TASKS = 2
SHOWN_LINES = 10
SHOWN_EVENTS = 6
_SCALED_IN = "Scaling activity initiated by"
_COMPARISONS = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
    "LessThanOrEqualToThreshold": "<=",
}


class Diagnosis:
    """Looks for why a deployment failed; what can't be read is named, never raised."""

    def __init__(
        self, context: ServiceContext, observed: Observation, *, task_definition: str, deploy: str
    ) -> None:
        self._context = context
        self._observed = observed
        self._task_definition = task_definition
        self._deploy = deploy
        self._gaps: list[str] = []

    def starting(self) -> StartingTasks:
        """Return how far the new tasks have come; a rollback stops them."""
        self._conceal()
        tasks = self._tasks("RUNNING")
        clock = self._context.clock
        return StartingTasks(
            tuple(starting_task(task, clock) for task in tasks[:SHOWN_TASKS]),
            tuple(self._attempt("target health", self._targets, [])),
            tuple(self._logs(tasks[:1])),
            tuple(self._gaps),
        )

    def found(self, starting: StartingTasks | None = None, **known: Any) -> FailureReport:
        """Return what was found, with what is known already."""
        ecs, observed = self._context.ecs, self._observed
        self._conceal()
        stopped = self._tasks("STOPPED")
        # A task that the rollback itself stopped explains nothing; its logs may.
        failed = [task for task in stopped if not task.get("stoppedReason", "").startswith(_SCALED_IN)]
        before = starting or StartingTasks()
        return FailureReport(
            starting=before.tasks,
            targets=before.targets,
            tasks=tuple(stopped_task(task) for task in failed[:SHOWN_TASKS]),
            logs=tuple(self._logs((failed or stopped)[:1])) or before.logs,
            events=tuple(self._attempt("events", lambda: service_events(ecs, observed), [])),
            alarms=tuple(self._alarms(observed.triggered_alarms)),
            schema=self._attempt("the journal", self._schema, ""),
            gaps=tuple(dict.fromkeys((*before.gaps, *self._gaps))),
            **known,
        )

    def _conceal(self) -> None:
        """Remove the release's secrets from what follows; name those that may not be read."""
        unread = self._attempt("secrets", lambda: self._context.conceal(self._task_definition), "")
        self._gaps += [unread] if unread else []

    def _attempt(self, what: str, read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except Exception as error:  # noqa: BLE001  # the deployment's failure is what matters, not this one
            self._gaps.append(clean(f"{what}: {error}"))
            return otherwise

    def _tasks(self, desired: str) -> list[dict[str, Any]]:
        ecs, family = self._context.ecs, self._task_definition
        found: list[dict[str, Any]] = self._attempt(
            f"{desired.lower()} tasks", lambda: ecs.tasks(family, desired=desired), []
        )
        return found

    def _targets(self) -> list[str]:
        revision = self._observed.target_revision
        found = self._context.ecs.revisions([revision]).get(revision, {})
        elbv2 = self._context.aws.client("elbv2")
        return [
            target_health(each)
            for balancer in found.get("resolvedConfiguration", {}).get("loadBalancers", ())
            for each in elbv2.describe_target_health(TargetGroupArn=balancer["targetGroupArn"])[
                "TargetHealthDescriptions"
            ]
        ]

    def _logs(self, tasks: list[dict[str, Any]]) -> list[str]:
        if not tasks:
            return []
        find = partial(self._context.ecs.task_definition, self._task_definition)
        registered = self._attempt("task definition", find, None)
        logs = self._context.aws.client("logs")
        return list(self._attempt("logs", lambda: log_lines(logs, registered, tasks[0]), []))

    def _alarms(self, names: tuple[str, ...]) -> list[Alarm]:
        if not names:
            return []
        client = self._context.aws.client("cloudwatch")
        described = self._attempt("alarms", lambda: client.describe_alarms(AlarmNames=list(names)), {})
        documents = [*described.get("MetricAlarms", ()), *described.get("CompositeAlarms", ())]
        found = {document["AlarmName"]: alarm_of(document) for document in documents}
        return [found.get(name, Alarm(name)) for name in names]

    def _schema(self) -> str:
        entry = self._context.journal.entry(self._deploy)
        return schema_state(entry) if entry else ""


def starting_task(task: Mapping[str, Any], clock: Clock) -> str:
    """Return how far a task has come, and for how long it has been starting."""
    containers = ", ".join(
        " ".join(filter(None, [f"{each['name']}: {each.get('lastStatus', '')}", _health(each)]))
        for each in task.get("containers", ())
    )
    created = task.get("createdAt")
    since = f" for {clock.words(clock.timestamp() - created.timestamp())}" if created else ""
    name = str(task["taskArn"]).rpartition("/")[2]
    return clean(f"{name}: {task.get('lastStatus', '')}{since}{f' ({containers})' if containers else ''}")


def _health(container: Mapping[str, Any]) -> str:
    health = container.get("healthStatus", "UNKNOWN")
    return "" if health == "UNKNOWN" else f"({health})"


def target_health(described: Mapping[str, Any]) -> str:
    """Return a target of DescribeTargetHealth with what its health check found."""
    target, health = described["Target"], described.get("TargetHealth", {})
    why = health.get("Description") or health.get("Reason", "")
    state = health.get("State", "unknown")
    return clean(f"{target['Id']}:{target.get('Port', '')} {state}{f': {why}' if why else ''}")


def stopped_task(task: Mapping[str, Any]) -> StoppedTask:
    """Return a stopped task: id, reason, each container's exit code and reason."""
    return StoppedTask(
        str(task["taskArn"]).rpartition("/")[2],
        clean(task.get("stoppedReason", "")),
        tuple(
            StoppedContainer(container["name"], container.get("exitCode"), clean(container.get("reason", "")))
            for container in task.get("containers", ())
        ),
    )


def alarm_of(document: Mapping[str, Any]) -> Alarm:
    """Return an alarm of DescribeAlarms with the numbers that made it fire."""
    period, periods = document.get("Period"), document.get("EvaluationPeriods", 1)
    try:
        recent = json.loads(document.get("StateReasonData") or "{}").get("recentDatapoints", ())
    except (ValueError, AttributeError):
        recent = ()
    values = [value for value in recent if isinstance(value, (int, float))]
    low = document.get("ComparisonOperator", "").startswith("Less")
    metric = document.get("MetricName") or next(
        (
            query.get("Label") or query["Id"]
            for query in document.get("Metrics", ())
            if query.get("ReturnData")
        ),
        "",
    )
    return Alarm(
        document["AlarmName"],
        metric,
        (min(values) if low else max(values)) if values else None,
        _COMPARISONS.get(document.get("ComparisonOperator", ""), document.get("ComparisonOperator", "")),
        document.get("Threshold"),
        float(period * periods) if period else None,
        clean(document.get("StateReason", "")),
    )


def service_events(ecs: EcsService, observed: Observation) -> list[str]:
    """Return the service's events since the deployment started, the newest last."""
    service = ecs.describe() or {}
    since = observed.started_at or observed.created_at
    events = [event for event in service.get("events", ()) if since is None or event["createdAt"] >= since]
    return [clean(event["message"]) for event in reversed(events[:SHOWN_EVENTS])]


def log_lines(logs: Any, registered: Registered | None, task: Mapping[str, Any]) -> list[str]:
    """Return the last log lines of a task's containers, found by the `awslogs` options; without secrets."""
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
        lines += [line for event in answer["events"] for line in _lines(event["message"])]
    return lines[-SHOWN_LINES:]


def schema_state(entry: JournalEntry) -> str:
    """Return what the journal knows of the schema, and whether the previous release works with it."""
    migrating, migrated = entry.last("migrating"), entry.last("migrated")
    if migrating is None:
        known = entry.last("schema")
        schema = known.data.get("schema") if known else None
        return f"V{schema}, untouched by this deploy" if schema else ""
    scripts = ", ".join(str(script) for script in migrating.data.get("pending", ()))
    if migrated is None:
        return f"the migration did not finish: {scripts}; invoke migrate.info shows how far it got"
    judgement = recorded_judgement(migrating.data)
    broken = [each.script for each in judgement.of(Compatibility.BREAKS)]
    unclear = [each.script for each in judgement.of(Compatibility.UNKNOWN)]
    starting = entry.last("starting")
    stays = "; it stays, and the previous release works with it"
    if starting and starting.data.get("first"):
        stays = "; it stays"
    elif broken:
        stays = f"; it stays, and the previous release may need what {', '.join(sorted(broken))} removed"
    elif unclear:
        names = ", ".join(sorted(unclear))
        stays = f"; it stays, and whether the previous release works with {names} is not known"
    return f"V{migrated.data.get('schema')}, by this deploy ({scripts}){stays}"


def _lines(message: str) -> list[str]:
    return [clean(line.rstrip()) for line in message.splitlines() if line.strip()]
