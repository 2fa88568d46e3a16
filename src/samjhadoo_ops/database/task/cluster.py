"""The calls that a migrations task takes, at ECS and CloudWatch Logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.aws_errors import aws_errors
from samjhadoo_ops.database.task import definition
from samjhadoo_ops.database.task.outcome import not_begun
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.database.task.definition import Placement
    from samjhadoo_ops.environment import Environment


def place(env: Environment, aws: Aws, template: Mapping[str, Any]) -> Placement:
    """Return where the task runs: as the settings say, else where the service does.

    Raises:
        ConfigurationError: Something is named nowhere.

    """
    settings, service = env.database.task, env.service
    group, region, created = definition.log_options(env, template)
    subnets = settings.subnets or service.subnets or _subnets_of(aws, service.load_balancer)
    if not subnets:
        raise ConfigurationError(
            "database.task.subnets is empty, and neither [service] nor its load balancer names subnets",
            hint="name the subnets from which the database is reached",
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
    """Return the ARN of the database's secret; its value is not read.

    Raises:
        ConfigurationError: There is no such secret.

    """
    client = aws.client("secretsmanager")
    with aws_errors():
        try:
            return str(client.describe_secret(SecretId=env.database.secret.name)["ARN"])
        except client.exceptions.ResourceNotFoundException as error:
            raise ConfigurationError(
                f"database.secret: {env.database.secret} is not there",
                hint='create it, as JSON: {"host", "port", "dbname", "username", "password"}',
            ) from error


class Tasks:
    """The migration tasks of one environment.

    Args:
        aws: The environment's AWS.
        placement: Where they run.

    """

    def __init__(self, aws: Aws, placement: Placement) -> None:
        self.placement = placement
        self._ecs = aws.client("ecs")
        self._aws = aws

    def register(self, document: Mapping[str, Any]) -> str:
        """Register the task definition, unless the newest of the family is the same; return its ARN.

        Raises:
            AwsCallFailed: ECS refused it.

        """
        wanted = definition.digest(document)
        with aws_errors():
            try:
                newest = self._ecs.describe_task_definition(
                    taskDefinition=document["family"], include=["TAGS"]
                )
            except self._ecs.exceptions.ClientException:
                newest = {"tags": []}  # there is none yet
            tags = {tag["key"]: tag["value"] for tag in newest.get("tags", ())}
            if tags.get(definition.DIGEST_TAG) != wanted:
                given = [{"key": definition.DIGEST_TAG, "value": wanted}]
                newest = self._ecs.register_task_definition(**document, tags=given)
        return str(newest["taskDefinition"]["taskDefinitionArn"])

    def going_on(self, family: str) -> list[dict[str, Any]]:
        """Return the tasks of a family that have not stopped, those being stopped included."""
        cluster, found = self.placement.cluster, []
        with aws_errors():
            for status in ("RUNNING", "STOPPED"):
                pages = self._ecs.get_paginator("list_tasks").paginate(
                    cluster=cluster, family=family, desiredStatus=status
                )
                found += [arn for page in pages for arn in page["taskArns"]]
        return [task for task in self.describe(found) if task["lastStatus"] != "STOPPED"]

    def describe(self, arns: Sequence[str]) -> list[dict[str, Any]]:
        """Return tasks; those ECS does not know, or not yet, are left out."""
        found: list[dict[str, Any]] = []
        for start in range(0, len(arns), _MOST_DESCRIBED):
            with aws_errors():
                found += self._ecs.describe_tasks(
                    cluster=self.placement.cluster, tasks=list(arns[start : start + _MOST_DESCRIBED])
                )["tasks"]
        return found

    def run(self, task_definition: str, overrides: Mapping[str, Any], *, token: str) -> str:
        """Start a task, once for a token, and return its ARN.

        Raises:
            Refused: ECS has no room for it.
            AwsCallFailed: ECS refused.

        """
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
            raise not_begun("; ".join(str(each.get("reason")) for each in answer["failures"]) or "no task")
        return str(answer["tasks"][0]["taskArn"])

    def stop(self, arn: str, reason: str) -> None:
        """Ask ECS to stop a task."""
        with aws_errors():
            self._ecs.stop_task(cluster=self.placement.cluster, task=arn, reason=reason)

    def messages(self, arn: str) -> list[str]:
        """Return the events of a task's log stream, in their order; none while there is no stream."""
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
                # The end of the stream is told by the token that was given.
                if page["nextForwardToken"] == request.get("nextToken"):
                    return found
                request["nextToken"] = page["nextForwardToken"]


_MOST_DESCRIBED = 100
