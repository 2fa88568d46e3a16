"""What AWS checks for each call of the tool, after AWS's Service Authorization Reference.

It is written independently of the policy's own table, which it tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from policy_check import RecordedCall

ANYWHERE = {
    "application-autoscaling": "application-autoscaling",
    "cloudwatch": "cloudwatch",
    "ec2": "ec2",
    "elbv2": "elasticloadbalancing",
}
"""Services of which the tool only makes calls that AWS checks on `*`, with the prefix of their actions."""
SUFFIX = "-AbC123"
"""What Secrets Manager has added to a secret's name."""


@dataclass(frozen=True)
class Request:
    """What IAM decides on: an action on a resource, with the keys that conditions compare."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource} with {dict(self.context)}"


@dataclass(frozen=True)
class Account:
    """Where the calls are made."""

    number: str
    region: str

    def requests(self, call: RecordedCall) -> list[Request]:
        """Return everything that AWS checks for a call; raise `KeyError` if that is not written here."""
        service, _, operation = call.name.partition(":")
        if service in ANYWHERE:
            return [Request(f"{ANYWHERE[service]}:{operation}")]
        return list(_CHECKS[call.name](self, call.parameters, call.name))

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.number}:{resource}"

    def in_cluster(self, cluster: str) -> dict[str, str]:
        return {"ecs:cluster": self.arn("ecs", f"cluster/{cluster.rpartition('/')[2]}")}


def _all(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _of_service(*names: str) -> Callable[..., Iterator[Request]]:
    """Return a check on the services of a cluster, which one of some parameters names."""

    def requests(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
        for service in _all(next(given[each] for each in names if each in given)):
            resource = account.arn("ecs", f"service/{given['cluster']}/{service}")
            yield Request(name, resource, account.in_cluster(given["cluster"]))

    return requests


def _of_deployment(name_of_arns: str) -> Callable[..., Iterator[Request]]:
    """Return a check on deployments or revisions and, for each, on its service."""

    def requests(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
        for arn in _all(given[name_of_arns]):
            _, cluster, service, _ = arn.split("/")
            yield Request(name, arn)
            yield Request(
                name, account.arn("ecs", f"service/{cluster}/{service}"), account.in_cluster(cluster)
            )

    return requests


def _of_tasks(name_of_tasks: str) -> Callable[..., Iterator[Request]]:
    def requests(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
        for task in _all(given[name_of_tasks]):
            resource = account.arn("ecs", f"task/{given['cluster']}/{task.rpartition('/')[2]}")
            yield Request(name, resource, account.in_cluster(given["cluster"]))

    return requests


def _registration(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    resource = account.arn("ecs", f"task-definition/{given['family']}:1")
    yield Request(name, resource)
    yield Request("ecs:TagResource", resource, {"ecs:CreateAction": "RegisterTaskDefinition"})
    for role in filter(None, (given.get("executionRoleArn"), given.get("taskRoleArn"))):
        yield Request("iam:PassRole", role, {"iam:PassedToService": "ecs-tasks.amazonaws.com"})


def _run(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name, given["taskDefinition"], account.in_cluster(given["cluster"]))


def _listed_tasks(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    instance = account.arn("ecs", f"container-instance/{given['cluster']}/any")
    yield Request(name, instance, account.in_cluster(given["cluster"]))


def _clusters(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    for cluster in given["clusters"]:
        yield Request(name, account.arn("ecs", f"cluster/{cluster}"))


def _anywhere(_account: Account, _given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name)


def _repository(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    for repository in _all(given.get("repositoryNames") or given.get("repositoryName")):
        yield Request(name, account.arn("ecr", f"repository/{repository}"))


def _object(_account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name, f"arn:aws:s3:::{given['Bucket']}/{given['Key']}")
    # To answer 404 for an object that is missing, S3 checks this without a prefix.
    yield Request("s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}")


def _listing(_account: Account, given: dict[str, Any], _name: str) -> Iterator[Request]:
    yield Request("s3:ListBucket", f"arn:aws:s3:::{given['Bucket']}", {"s3:prefix": given["Prefix"]})


def _secret(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    secret = given["SecretId"].partition(":secret:")[2] or given["SecretId"]
    yield Request(name, account.arn("secretsmanager", f"secret:{secret}{SUFFIX}"))


def _parameter(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name, account.arn("ssm", f"parameter/{given['Name'].lstrip('/')}"))


def _log_stream(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    stream = f"log-group:{given['logGroupName']}:log-stream:{given['logStreamName']}"
    yield Request(name, account.arn("logs", stream))


def _role(account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name, f"arn:aws:iam::{account.number}:role/{given['RoleName']}")


def _simulation(_account: Account, given: dict[str, Any], name: str) -> Iterator[Request]:
    yield Request(name, given["PolicySourceArn"])


def _quota(account: Account, given: dict[str, Any], _name: str) -> Iterator[Request]:
    resource = account.arn("servicequotas", f"{given['ServiceCode']}/{given['QuotaCode']}")
    yield Request("servicequotas:GetServiceQuota", resource)


def _nothing(_account: Account, _given: dict[str, Any], _name: str) -> Iterator[Request]:
    return iter(())


_CHECKS: Mapping[str, Callable[..., Iterator[Request]]] = {
    "ecs:DescribeServices": _of_service("services"),
    "ecs:CreateService": _of_service("serviceName"),
    "ecs:UpdateService": _of_service("service"),
    "ecs:ListServiceDeployments": _of_service("service"),
    "ecs:DescribeServiceDeployments": _of_deployment("serviceDeploymentArns"),
    "ecs:DescribeServiceRevisions": _of_deployment("serviceRevisionArns"),
    "ecs:ContinueServiceDeployment": _of_deployment("serviceDeploymentArn"),
    "ecs:StopServiceDeployment": _of_deployment("serviceDeploymentArn"),
    "ecs:RegisterTaskDefinition": _registration,
    "ecs:DescribeTaskDefinition": _anywhere,
    "ecs:DescribeClusters": _clusters,
    "ecs:ListTasks": _listed_tasks,
    "ecs:DescribeTasks": _of_tasks("tasks"),
    "ecs:StopTask": _of_tasks("task"),
    "ecs:RunTask": _run,
    "ecr:GetAuthorizationToken": _anywhere,
    "ecr:DescribeRepositories": _repository,
    "ecr:DescribeImages": _repository,
    "ecr:DescribeImageScanFindings": _repository,
    "ecr:GetLifecyclePolicy": _repository,
    "s3:GetObject": _object,
    "s3:PutObject": _object,
    "s3:ListObjectsV2": _listing,
    "secretsmanager:GetSecretValue": _secret,
    "secretsmanager:DescribeSecret": _secret,
    "ssm:GetParameter": _parameter,
    "logs:GetLogEvents": _log_stream,
    "iam:GetRole": _role,
    "iam:SimulatePrincipalPolicy": _simulation,
    "service-quotas:GetServiceQuota": _quota,
    "sts:GetCallerIdentity": _nothing,
}
