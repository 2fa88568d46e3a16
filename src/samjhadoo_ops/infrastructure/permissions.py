"""What the tool calls at AWS in a release, why, and the permissions that AWS asks for.

`PERMISSIONS` declares every call, except those of rehearsals and local stacks, which never meet AWS, and of
`infra.plan` and its like: CloudFormation makes the stacks with the permissions of whoever applies them. The
tests record the calls of the whole suite and compare them with this table.

Actions, resource types and condition keys: AWS's Service Authorization Reference. Where it names no resource
type, AWS takes only `*`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.infrastructure.arns import Arns, ServiceArns, runs_migrations_as_task

if TYPE_CHECKING:
    from samjhadoo_ops.environment import Environment

Conditions = Mapping[str, Mapping[str, Arns]]
"""By operator and key, the values of which one must match."""

UNCHECKED = frozenset({"sts:GetCallerIdentity"})
"""Calls that need no permission."""

_PREFIXES = {"elbv2": "elasticloadbalancing", "service-quotas": "servicequotas"}
_ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket"}


def action(call: str) -> str:
    """Return the IAM action of a call, both with the name of a service in front: botocore's, IAM's."""
    service, _, operation = call.partition(":")
    return _ACTIONS.get(call) or f"{_PREFIXES.get(service, service)}:{operation}"


def _everything(_: ServiceArns) -> Arns:
    return ("*",)


def _always(_: Environment) -> bool:
    return True


def _unconditionally(_: ServiceArns) -> Conditions:
    return {}


@dataclass(frozen=True)
class Permission:
    """What some calls need, with the same resources and conditions.

    Attributes:
        sid: The statement's id in the policy, which may hold several permissions with the same resources.
        why: What the tool needs the calls for.
        calls: The calls, as `service:Operation` in botocore's names.
        resources: What they may touch; empty if the service makes none of the calls.
        implied: Actions that AWS checks without a call of their own.
        by: The calls because of which AWS checks them.
        conditions: Further limits.
        needed: Whether the settings of a service make any of the calls.
    """

    sid: str
    why: str
    calls: tuple[str, ...] = ()
    resources: Callable[[ServiceArns], Arns] = _everything
    implied: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    conditions: Callable[[ServiceArns], Conditions] = _unconditionally
    needed: Callable[[Environment], bool] = _always

    @property
    def actions(self) -> Arns:
        """The IAM actions."""
        return (*map(action, self.calls), *self.implied)


def _gate(*names: str) -> Callable[[Environment], bool]:
    """Return whether one of some gates is on."""
    return lambda env: any(env.gates.policy.get(name) != "off" for name in names)


def _in_cluster(arns: ServiceArns) -> Conditions:
    return {"ArnEquals": {"ecs:cluster": arns.cluster}}


def _in_region(arns: ServiceArns) -> Conditions:
    return {"StringEquals": {"aws:RequestedRegion": (arns.env.aws.region,)}}


def _in_regions_of_replicas(arns: ServiceArns) -> Conditions:
    regions = (name.partition("/")[0] for name in arns.env.gates.replicas.instances)
    return {"StringEquals": {"aws:RequestedRegion": tuple(dict.fromkeys((arns.env.aws.region, *regions)))}}


def _passed_to(service: str) -> Callable[[ServiceArns], Conditions]:
    return lambda _: {"StringEquals": {"iam:PassedToService": (service,)}}


_PULL = ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
_PUSH = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
)

PERMISSIONS = (
    Permission(
        "Service",
        "Create and update the service, and list its deployments",
        calls=(
            "ecs:DescribeServices",
            "ecs:CreateService",
            "ecs:UpdateService",
            "ecs:ListServiceDeployments",
        ),
        resources=lambda arns: arns.service,
    ),
    Permission(
        "Deployments",
        "Watch a deployment, answer its pauses and stop it; AWS checks the service, too",
        calls=(
            "ecs:DescribeServiceDeployments",
            "ecs:DescribeServiceRevisions",
            "ecs:ContinueServiceDeployment",
            "ecs:StopServiceDeployment",
        ),
        resources=lambda arns: arns.deployments,
    ),
    Permission(
        "Cluster",
        "Check that the cluster exists before the first release (gate cluster)",
        calls=("ecs:DescribeClusters",),
        resources=lambda arns: arns.cluster,
        needed=_gate("cluster"),
    ),
    Permission(
        "RegisterTaskDefinitions",
        "Register the task definition of a release, and that of the task that runs Flyway",
        calls=("ecs:RegisterTaskDefinition",),
        resources=lambda arns: arns.families,
    ),
    Permission(
        "TagTaskDefinitions",
        "Tag them with release and digest while they are registered",
        implied=("ecs:TagResource",),
        by=("ecs:RegisterTaskDefinition",),
        resources=lambda arns: arns.families,
        conditions=lambda _: {"StringEquals": {"ecs:CreateAction": ("RegisterTaskDefinition",)}},
    ),
    Permission(
        "ListTasks",
        # The reference names container instances as its resources, which tasks on Fargate do not have.
        "List the tasks of a release and of a migration",
        calls=("ecs:ListTasks",),
        conditions=_in_cluster,
    ),
    Permission(
        "Tasks",
        "See why tasks stopped, and wait for the task that runs Flyway",
        calls=("ecs:DescribeTasks",),
        resources=lambda arns: arns.tasks,
        conditions=_in_cluster,
    ),
    Permission(
        "Tasks",
        "Stop a migration that takes too long",
        calls=("ecs:StopTask",),
        resources=lambda arns: arns.tasks,
        conditions=_in_cluster,
        needed=runs_migrations_as_task,
    ),
    Permission(
        "RunMigrations",
        "Run Flyway as a task (database.runner)",
        calls=("ecs:RunTask",),
        resources=lambda arns: arns.migrations,
        conditions=_in_cluster,
        needed=runs_migrations_as_task,
    ),
    Permission(
        "PassTaskRoles",
        "Give ECS the roles of the tasks",
        implied=("iam:PassRole",),
        by=("ecs:RegisterTaskDefinition", "ecs:RunTask"),
        resources=lambda arns: arns.task_roles,
        conditions=_passed_to("ecs-tasks.amazonaws.com"),
    ),
    Permission(
        "PassInfrastructureRole",
        "Give ECS the role with which it shifts the traffic",
        implied=("iam:PassRole",),
        by=("ecs:CreateService", "ecs:UpdateService"),
        resources=lambda arns: arns.infrastructure_role,
        conditions=_passed_to("ecs.amazonaws.com"),
    ),
    Permission(
        "FirstService",
        "Let ECS create its service-linked role for the first service of an account",
        implied=("iam:CreateServiceLinkedRole",),
        by=("ecs:CreateService",),
        resources=lambda arns: arns.ecs_role,
        conditions=lambda _: {"StringEquals": {"iam:AWSServiceName": ("ecs.amazonaws.com",)}},
    ),
    Permission(
        "Repository",
        "Find images by tag and digest",
        calls=("ecr:DescribeRepositories", "ecr:DescribeImages"),
        resources=lambda arns: arns.repository,
    ),
    Permission(
        "Repository",
        "Read the findings of the image's scan (gate image)",
        calls=("ecr:DescribeImageScanFindings",),
        resources=lambda arns: arns.repository,
        needed=_gate("image"),
    ),
    Permission(
        "Repository",
        "See how long the running image is kept (gate rollback_target)",
        calls=("ecr:GetLifecyclePolicy",),
        resources=lambda arns: arns.repository,
        needed=_gate("rollback_target"),
    ),
    Permission(
        "Repository",
        "Push images, and read the labels of those that exist, through the registry's own protocol",
        implied=(*_PULL, *_PUSH),
        by=("ecr:GetAuthorizationToken",),
        resources=lambda arns: arns.repository,
    ),
    Permission(
        "PullFrom",
        "Copy images from the repositories of build.pull_from (deploy --image)",
        implied=(*_PULL, "ecr:BatchCheckLayerAvailability"),
        by=("ecr:GetAuthorizationToken",),
        resources=lambda arns: arns.sources,
    ),
    Permission(
        "Journal",
        "Read and write the journal and the lock",
        calls=("s3:GetObject", "s3:PutObject"),
        resources=lambda arns: arns.journal,
    ),
    Permission(
        "ListJournal",
        # S3 checks it for a missing object, too, without a prefix; if denied, it answers 403 and not 404.
        "List the journal, and learn that an object does not exist",
        calls=("s3:ListObjectsV2",),
        resources=lambda arns: arns.bucket,
        conditions=lambda arns: {"StringLikeIfExists": {"s3:prefix": arns.listed}},
    ),
    Permission(
        "Stacks",
        "Read what the stacks made, where a setting names it",
        calls=("cloudformation:DescribeStacks",),
        resources=lambda arns: arns.stacks,
    ),
    Permission(
        "ReadSecrets",
        "Connect to the database, sign test webhooks, and conceal what tasks print",
        calls=("secretsmanager:GetSecretValue",),
        resources=lambda arns: arns.read_secrets,
    ),
    Permission(
        "FindSecrets",
        "Check that the tasks' secrets exist (gate secrets), and name the database's to the task with Flyway",
        calls=("secretsmanager:DescribeSecret",),
        resources=lambda arns: (
            *(arns.task_secrets if _gate("secrets")(arns.env) else ()),
            *arns.migration_secret,
        ),
    ),
    Permission(
        "Parameters",
        "Check that the parameters of the task definition exist, and conceal what tasks print",
        calls=("ssm:GetParameter",),
        resources=lambda arns: arns.read_parameters,
    ),
    Permission(
        "Logs",
        "Show the last lines of a failed task, and the output of Flyway",
        calls=("logs:GetLogEvents",),
        resources=lambda arns: arns.logs,
    ),
    Permission(
        "Roles",
        "Check that the roles exist and trust ECS (gate roles)",
        calls=("iam:GetRole",),
        resources=lambda arns: (*arns.task_roles, *arns.infrastructure_role),
        needed=_gate("roles"),
    ),
    Permission(
        "Simulation",
        "Ask IAM whether the roles may be passed (gate roles)",
        calls=("iam:SimulatePrincipalPolicy",),
        resources=lambda arns: arns.deployer,
        needed=_gate("roles"),
    ),
    Permission(
        "Quota",
        "Read the quota of Fargate (gate vcpu_quota)",
        calls=("service-quotas:GetServiceQuota",),
        resources=lambda arns: arns.quota,
        needed=_gate("vcpu_quota"),
    ),
    Permission(
        "ReadOnly",
        "Find the load balancer's rules, judge the canary by its metrics, and log in to the registry",
        calls=(
            "ecs:DescribeTaskDefinition",
            "elbv2:DescribeLoadBalancers",
            "elbv2:DescribeListeners",
            "elbv2:DescribeRules",
            "elbv2:DescribeTargetGroups",
            "elbv2:DescribeTargetHealth",
            "cloudwatch:GetMetricData",
            "ecr:GetAuthorizationToken",
            "application-autoscaling:DescribeScalableTargets",
        ),
        conditions=_in_region,
    ),
    Permission(
        "ReadOnly",
        # A narrower resource hides composite alarms.
        "See the state of the alarms in deployment.alarms",
        calls=("cloudwatch:DescribeAlarms",),
        conditions=_in_region,
        needed=lambda env: bool(env.deployment.alarms),
    ),
    Permission(
        "Statistics",
        "Read the use of the quota and the lag of read replicas (gates vcpu_quota, read_replicas)",
        calls=("cloudwatch:GetMetricStatistics",),
        conditions=_in_regions_of_replicas,
        needed=lambda env: (
            _gate("vcpu_quota")(env) or (_gate("read_replicas")(env) and bool(env.gates.replicas.instances))
        ),
    ),
    Permission(
        "ReadOnly",
        "Check the subnets and their free addresses (gates network, free_addresses)",
        calls=("ec2:DescribeSubnets",),
        conditions=_in_region,
        needed=_gate("network", "free_addresses"),
    ),
    Permission(
        "ReadOnly",
        "Check the security groups (gate network)",
        calls=("ec2:DescribeSecurityGroups",),
        conditions=_in_region,
        needed=_gate("network"),
    ),
)
"""Every permission of the role that releases, in the order of its policy."""
