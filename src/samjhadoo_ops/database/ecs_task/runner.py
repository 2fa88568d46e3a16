"""Runs Flyway as an ECS task, waits for it, and reads its output from the log.

The task continues if the tool dies. The next run finds it by its family and waits for its end; Flyway's own
lock is a second protection.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws_errors import AwsCallFailed, aws_errors
from samjhadoo_ops.clock import in_words
from samjhadoo_ops.database import answer, history, refusal
from samjhadoo_ops.database.connection import jdbc_query
from samjhadoo_ops.database.ecs_task import definition, result
from samjhadoo_ops.database.runner import FlywayRun, NoAnswerError, RunTimeoutError, timed_out
from samjhadoo_ops.errors import ConfigurationError, OpsError, Refused
from samjhadoo_ops.release.task_secrets import conceal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.database.flyway import Flyway
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.environment import Environment

READ_ONLY = frozenset({"info", "validate"})
READ_WITHIN = 120.0
STARTS_WITHIN = 300.0
STOPS_WITHIN = 60.0
LOGGED_WITHIN = 30.0
PATIENCE = 60.0
"""Real seconds for read-only commands, for start and stop of a task, for its log, and for AWS to answer."""
_MOST_DESCRIBED = 100


@dataclass
class EcsTask:
    """Runs Flyway as a one-off task; a `Runner`. It calls AWS only from the first run on."""

    env: Environment
    aws: Aws
    console: Console
    clock: Clock
    flyway: Flyway
    leaves_nothing = False
    _info: dict[str, Any] | None = field(default=None, init=False)

    @property
    def database(self) -> str:
        """See `Runner`; only the task knows the address."""
        return f"of {self.env.database.secret}"

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> FlywayRun:
        """Run Flyway; see `Runner`. `info` is added to each command, for the history."""
        self._info = None
        # Read-only commands need no locks and no long statements; starting the container takes the time.
        read_only = READ_ONLY.issuperset(operations)
        seconds = max(self.flyway.timeouts.run, READ_WITHIN if read_only else 0.0)
        commands = operations if "info" in operations else (*operations, "info")
        arguments = self.flyway.arguments(*commands, ignore=ignore)
        name = f"flyway {' '.join(operations)}"
        task_definition = self._task_definition
        self._wait_for_others()
        query = jdbc_query(
            application=self.flyway.application,
            parameters=definition.parameters(
                self.flyway.parameters, engine_version=self.env.database.engine_version
            ),
        )
        arn = self._tasks.run(
            task_definition, definition.overrides(query, arguments), token=f"samjhadoo-ops-{uuid.uuid4().hex}"
        )
        self.console.event(
            "migration-task", f"{name} runs as task {_short(arn)}", task=arn, operations=list(operations)
        )
        run = self._outcome(arn, self._wait(arn, name, seconds))
        self._remember(run)
        return run

    def history(self) -> History:
        """Return the history from Flyway's `info`; see `Runner`."""
        if self._info is None:
            try:
                run = self.run("info")
            except NoAnswerError as error:
                raise Refused(error.message, hint=error.hint, details=error.details) from error
            refusal.readable(run, self.database)
        return history.from_info(self._info or {})

    def schema(self) -> str | None:
        """Return None: only the cluster reaches the database; see `Runner`."""
        return None

    def sizes(self) -> None:
        """Return nothing; see `Runner`."""

    @cached_property
    def _template(self) -> dict[str, Any]:
        from samjhadoo_ops.release import render_task_definition

        return render_task_definition(self.env, "migrations", "migrations")

    @cached_property
    def _tasks(self) -> Tasks:
        return Tasks(self.aws, placement_of(self.env, self.aws, self._template))

    @cached_property
    def _document(self) -> dict[str, Any]:
        from samjhadoo_ops.database.ecs_task.image import pushed

        return definition.definition(
            self.env,
            self._template,
            self._tasks.placement,
            image=pushed(self.env, self.aws, self.console),
            secret=secret_arn(self.env, self.aws),
        )

    @cached_property
    def _task_definition(self) -> str:
        return self._tasks.register(self._document)

    def _wait_for_others(self) -> None:
        """Wait until no other migrations task is running: one of a killed run, or somebody else's."""
        family = definition.family(self.env)
        patience = STARTS_WITHIN + self.flyway.timeouts.run
        deadline = time.monotonic() + patience
        known: set[str] = set()
        while others := [task["taskArn"] for task in self._tasks.unfinished(family)]:
            for arn in sorted(set(others) - known):
                self.console.event(
                    "waiting",
                    f"waiting up to {in_words(patience)} for another run's migrations task {_short(arn)}",
                    task=arn,
                )
            known |= set(others)
            if time.monotonic() > deadline:
                raise Refused(
                    f"the migrations task {others[0]} is still running",
                    hint=f"aws ecs stop-task --cluster {self.env.service.cluster} --task {_short(others[0])}",
                )
            self.clock.sleep(self.env.deployment.poll)

    def _wait(self, arn: str, name: str, seconds: float) -> dict[str, Any]:
        """Wait for the task's end and return it; it is stopped if it takes too long or is interrupted."""
        try:
            return self._ended(arn, name, seconds)
        except (RunTimeoutError, Refused) as error:
            self._stop(arn, error.message)
            raise
        except OpsError:
            raise  # AWS does not answer: the task continues
        except BaseException:
            self._stop(arn, "interrupted")
            raise

    def _ended(self, arn: str, name: str, seconds: float) -> dict[str, Any]:
        asked = answered = time.monotonic()
        began: float | None = None
        status = ""
        while True:
            now = time.monotonic()
            try:
                found = self._tasks.describe([arn])
            except AwsCallFailed as error:
                if now - answered > PATIENCE:
                    raise _unknown_state(arn, error.message) from error
                found = []
            if found:
                answered, status = now, str(found[0]["lastStatus"])
            elif now - answered > PATIENCE:
                raise _unknown_state(arn, "ECS does not list it")
            if status == "STOPPED":
                return found[0] if found else self._tasks.describe([arn])[0]
            if began is None and status not in ("", "PROVISIONING", "PENDING"):
                began = now
            if began is not None and now - began > seconds:
                raise timed_out(name, seconds)
            if began is None and now - asked > STARTS_WITHIN:
                raise result.not_begun(f"it is {status or 'unknown'} after {STARTS_WITHIN:g} s")
            self.clock.sleep(self.env.deployment.poll)

    def _stop(self, arn: str, reason: str) -> None:
        """Stop the task and wait for its end; PostgreSQL ends its sessions (`definition.parameters`)."""
        self.console.event("stopping", f"stopping the migrations task {_short(arn)}", task=arn)
        try:
            self._tasks.stop(arn, f"samjhadoo-ops: {reason}"[:255])
            deadline = time.monotonic() + STOPS_WITHIN
            while time.monotonic() < deadline:
                if all(task["lastStatus"] == "STOPPED" for task in self._tasks.describe([arn])):
                    return
                self.clock.sleep(self.env.deployment.poll)
        except OpsError as error:
            self.console.event("unstopped", f"the task {arn} may still be running: {error.message}", task=arn)

    def _outcome(self, arn: str, task: dict[str, Any]) -> FlywayRun:
        """Return the run of a stopped task."""
        end = result.ended(task)
        if not end.began:
            raise result.not_begun(end.why, log_group=self._tasks.placement.log_group)
        read = self._transcript(arn)
        unread = conceal(self.env, self.aws, self._document) if end.exit_code != 0 else ""
        if unread:
            read = replace(read, log=f"{read.log}\ncould not be read: {unread}")
        if not read.complete or end.exit_code is None:
            message, hint = result.incomplete(
                end,
                read,
                log_group=self._tasks.placement.log_group,
                log_stream=definition.log_stream(arn),
            )
            log = result.with_project_paths(read.log, self.env.root)
            raise NoAnswerError(message, hint=hint, details=tuple(log.splitlines()[-20:]))
        root = self.env.root
        return FlywayRun(
            end.exit_code,
            result.with_project_paths(read.answer, root, in_json=True),
            result.with_project_paths(read.log, root),
        )

    def _transcript(self, arn: str) -> result.Transcript:
        """Read the log until it is complete; it may arrive after the task's end."""
        deadline = time.monotonic() + LOGGED_WITHIN
        while True:
            try:
                read = result.assemble(self._tasks.messages(arn))
            except AwsCallFailed as error:
                read = result.Transcript(complete=False, exit_code=None, answer="", log=error.message)
            if read.complete or time.monotonic() > deadline:
                return read
            self.clock.sleep(self.env.deployment.poll)

    def _remember(self, run: FlywayRun) -> None:
        try:
            results = answer.read(run.output)
        except answer.AnswerError:
            return
        info = answer.result_of(results, "info")
        self._info = info if info.get("operation") == "info" else None


def _short(arn: str) -> str:
    return arn.rpartition("/")[2]


def _unknown_state(arn: str, reason: str) -> NoAnswerError:
    return NoAnswerError(
        f"the state of the migrations task {arn} is unknown: {reason}",
        hint="it may still be running: invoke migrate.info waits for its end, and shows what was applied",
    )


class Tasks:
    """The migrations tasks of one environment."""

    def __init__(self, aws: Aws, placement: definition.Placement) -> None:
        self.placement = placement
        self._ecs = aws.client("ecs")
        self._aws = aws

    def register(self, document: Mapping[str, Any]) -> str:
        """Register the task definition, unless the newest of its family is the same; return its ARN."""
        wanted = definition.digest(document)
        with aws_errors():
            try:
                newest = self._ecs.describe_task_definition(
                    taskDefinition=document["family"], include=["TAGS"]
                )
            except self._ecs.exceptions.ClientException:
                newest = {"tags": []}  # the first of its family
            tags = {tag["key"]: tag["value"] for tag in newest.get("tags", ())}
            if tags.get(definition.DIGEST_TAG) != wanted:
                given = [{"key": definition.DIGEST_TAG, "value": wanted}]
                newest = self._ecs.register_task_definition(**document, tags=given)
        return str(newest["taskDefinition"]["taskDefinitionArn"])

    def unfinished(self, family: str) -> list[dict[str, Any]]:
        """Return the tasks of a family that have not stopped yet, including those that are stopping."""
        cluster, found = self.placement.cluster, []
        with aws_errors():
            for status in ("RUNNING", "STOPPED"):
                pages = self._ecs.get_paginator("list_tasks").paginate(
                    cluster=cluster, family=family, desiredStatus=status
                )
                found += [arn for page in pages for arn in page["taskArns"]]
        return [task for task in self.describe(found) if task["lastStatus"] != "STOPPED"]

    def describe(self, arns: Sequence[str]) -> list[dict[str, Any]]:
        """Return tasks, without those that ECS does not know, or not yet."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(arns), _MOST_DESCRIBED):
            with aws_errors():
                found += self._ecs.describe_tasks(
                    cluster=self.placement.cluster, tasks=list(arns[start : start + _MOST_DESCRIBED])
                )["tasks"]
        return found

    def run(self, task_definition: str, overrides: Mapping[str, Any], *, token: str) -> str:
        """Start a task, only once for each token, and return its ARN; raise `Refused` without capacity."""
        with aws_errors():
            answer = self._ecs.run_task(
                cluster=self.placement.cluster,
                taskDefinition=task_definition,
                count=1,
                launchType="FARGATE",
                networkConfiguration=self.placement.network(),
                overrides=dict(overrides),
                startedBy=token,
                clientToken=token,
            )
        if not answer["tasks"]:
            raise result.not_begun(
                "; ".join(str(each.get("reason")) for each in answer["failures"]) or "no task"
            )
        return str(answer["tasks"][0]["taskArn"])

    def stop(self, arn: str, reason: str) -> None:
        """Ask ECS to stop a task."""
        with aws_errors():
            self._ecs.stop_task(cluster=self.placement.cluster, task=arn, reason=reason)

    def messages(self, arn: str) -> list[str]:
        """Return the events of a task's log stream, in order; none before the stream exists."""
        logs = self._aws.client("logs")
        request: dict[str, Any] = {
            "logGroupName": self.placement.log_group,
            "logStreamName": definition.log_stream(arn),
            "startFromHead": True,
        }
        found: list[str] = []
        with aws_errors():
            while True:
                try:
                    page = logs.get_log_events(**request)
                except logs.exceptions.ResourceNotFoundException:
                    return found
                found += [event["message"] for event in page["events"]]
                # At the end of the stream, CloudWatch Logs returns the same token again.
                if page["nextForwardToken"] == request.get("nextToken"):
                    return found
                request["nextToken"] = page["nextForwardToken"]


def placement_of(env: Environment, aws: Aws, template: Mapping[str, Any]) -> definition.Placement:
    """Return where the task runs, by the settings or the service; raise `ConfigurationError` if unknown."""
    settings, service = env.database.task, env.service
    group, region, created = definition.log_options(env, template)
    subnets = settings.subnets or service.subnets or _subnets_of(aws, service.load_balancer)
    if not subnets:
        raise ConfigurationError(
            "database.task.subnets is empty, and neither [service] nor its load balancer names subnets",
            hint="set it to the subnets from which the database can be reached",
        )
    return definition.Placement(
        cluster=service.cluster,
        subnets=tuple(subnets),
        security_groups=tuple(settings.security_groups or service.security_groups),
        log_group=group,
        log_region=region,
        log_created=created,
    )


def _subnets_of(aws: Aws, balancer: str) -> list[str]:
    client = aws.client("elbv2")
    with aws_errors():
        try:
            found = client.describe_load_balancers(Names=[balancer])["LoadBalancers"]
        except client.exceptions.LoadBalancerNotFoundException:
            return []
    return [
        zone["SubnetId"] for each in found for zone in each.get("AvailabilityZones", ()) if "SubnetId" in zone
    ]


def secret_arn(env: Environment, aws: Aws) -> str:
    """Return the ARN of the database's secret, not its value; raise `ConfigurationError` without one."""
    client = aws.client("secretsmanager")
    with aws_errors():
        try:
            return str(client.describe_secret(SecretId=env.database.secret.name)["ARN"])
        except client.exceptions.ResourceNotFoundException as error:
            raise ConfigurationError(
                f"database.secret: {env.database.secret} does not exist",
                hint='create it, as JSON: {"host", "port", "dbname", "username", "password"}',
            ) from error
