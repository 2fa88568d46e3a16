"""What an environment's settings are: one Struct per table of `environments/*.toml`.

The files hold the comments; section numbers are the deployment plan's. Percentages are numbers from 0 to
100, lengths of time are durations.
"""

# ruff: noqa: TC001 - msgspec reads the annotations when the program runs

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from samjhadoo_ops.environment.delivery import Canary, Deployment, Rollback
from samjhadoo_ops.environment.gates import Gates
from samjhadoo_ops.environment.kinds import (
    Account,
    Bucket,
    ClockMinute,
    Count,
    Grace,
    ImageName,
    Memory,
    Port,
    Region,
    Repository,
    RoleArn,
    Span,
    Text,
    Url,
    UrlOrNone,
    UrlPath,
    UrlPathOrNone,
)
from samjhadoo_ops.environment.monitoring import Alarms, Notifications, Slo
from samjhadoo_ops.environment.rollout import Rollout
from samjhadoo_ops.environment.secret import SecretRef
from samjhadoo_ops.environment.section import Section
from samjhadoo_ops.environment.stack import StackSettings
from samjhadoo_ops.environment.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

_GIB = 1024
# CPU units and the MiB that go with them ("Task size" in the ECS developer guide); Flyway needs no others.
FARGATE_MEMORY = {
    256: (512, *range(_GIB, 2 * _GIB + 1, _GIB)),
    512: tuple(range(_GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
}


class AwsSettings(Section, frozen=True, kw_only=True):
    """Region, account and credentials (1.2)."""

    region: Region
    account: Account
    profile: str
    role_arn: RoleArn
    retries: Count


class ClockSettings(Section, frozen=True, kw_only=True):
    """How fast time goes; only a local stack's may be faster than real."""

    minute: ClockMinute


class Endpoints(Section, frozen=True, kw_only=True):
    """Addresses of the load balancer's listeners; empty where the local stack tells them."""

    production: UrlOrNone
    test: UrlOrNone


class Infrastructure(Section, frozen=True, kw_only=True):
    """Size of the environment (1.2)."""

    multi_az: bool
    instance_type: Text
    min_tasks: Count
    max_tasks: Count

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.max_tasks < self.min_tasks:
            yield "max_tasks", f"is below min_tasks ({self.min_tasks})"


class Service(Section, frozen=True, kw_only=True):
    """The ECS service and what it stands behind (3.1)."""

    cluster: Text
    name: Text
    container: Text
    container_port: Port
    task_definition: Text
    desired_count: Count
    load_balancer: Text
    target_groups: list[Text]
    production_listener_port: Port
    test_listener_port: Port
    infrastructure_role: Text
    subnets: list[Text]
    security_groups: list[Text]
    health_check_grace: Grace
    variables: dict[str, str]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if not self.target_groups:
            yield "target_groups", "is empty: a service without a load balancer cannot be deployed yet"
        elif len(set(self.target_groups)) != 2:  # noqa: PLR2004 - one is in production, one is not
            yield "target_groups", "expected two different ones: one serves, the other gets the new release"
        if self.production_listener_port == self.test_listener_port:
            yield "test_listener_port", "is the production listener's port too"


class Build(Section, frozen=True, kw_only=True):
    """How the image is built and where it goes (3.1)."""

    builder: Literal["oci", "docker", "gradle"]
    base: Literal["registry", "host"]
    context: Text
    dockerfile: Text
    repository: Repository
    platform: Text
    args: dict[str, str]
    bases: dict[str, str]
    cache_from: list[Text]
    cache_to: list[Text]
    gradle_command: list[Text]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.builder == "gradle" and not self.gradle_command:
            yield "gradle_command", "is empty, but builder is gradle"
        for image, dockerfile in self.bases.items():
            path = PurePosixPath(dockerfile)
            if not dockerfile or path.is_absolute() or ".." in path.parts:
                yield f'bases."{image}"', "expected the path of a Dockerfile inside the context"
        for key, caches in (("cache_from", self.cache_from), ("cache_to", self.cache_to)):
            for cache in caches:
                if "type=" not in cache:
                    yield key, f"expected buildx's syntax such as type=registry,ref=…, got {cache!r}"


class MigrationTask(Section, frozen=True, kw_only=True):
    """The task that runs Flyway in the cluster; what is empty is the service's.

    Attributes:
        cpu: CPU units; 1024 are a vCPU.
        memory: In MiB.
        execution_role: The role's ARN.

    """

    cpu: Count
    memory: Memory
    subnets: list[Text]
    security_groups: list[Text]
    execution_role: RoleArn
    log_group: str

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.cpu not in FARGATE_MEMORY:
            yield "cpu", f"expected one of {', '.join(map(str, FARGATE_MEMORY))}: Fargate has no other sizes"
        elif self.memory not in FARGATE_MEMORY[self.cpu]:
            least, *_, most = FARGATE_MEMORY[self.cpu]
            yield "memory", f"Fargate has none such for cpu {self.cpu}; whole GiB, from {least} to {most} MiB"


class Database(Section, frozen=True, kw_only=True):
    """RDS and its migrations (2.1, 2.2).

    Attributes:
        runner: How Flyway is run: its command line or its image, both where the tool runs, or as a task.
        flyway_image: Of `image`; of `ecs-task` the base to which the scripts are added.

    """

    engine: Literal["postgres"]
    engine_version: Text
    instance: Text
    storage_gb: Count
    storage_type: Text
    backup_retention_days: int
    read_replicas: list[Region]
    secret: SecretRef
    migrations: list[Text]
    lock_timeout: Span
    statement_timeout: Span
    migrate_timeout: Span
    runner: Literal["cli", "image", "ecs-task"]
    flyway_image: ImageName
    flyway: dict[str, str]
    task: MigrationTask

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.runner == "ecs-task" and (self.secret.scheme != "secretsmanager" or self.secret.key):
            yield "secret", "expected secretsmanager:NAME: ECS hands its members to the task (runner)"
        if self.lock_timeout >= self.migrate_timeout:
            yield "lock_timeout", f"is not below migrate_timeout ({self.migrate_timeout})"


class Cache(Section, frozen=True, kw_only=True):
    """ElastiCache."""

    secret: SecretRef


class Windows(Section, frozen=True, kw_only=True):
    """When deployments may run (9)."""

    deployment: Window
    maintenance: Window
    emergency: Literal["approval", "always", "never"]
    managers: list[Text]


class Payments(Section, frozen=True, kw_only=True):
    """Stripe (4)."""

    secret_key: SecretRef
    webhook_secret: SecretRef
    api: Url
    success_url: Url
    cancel_url: Url
    webhook_url: UrlOrNone
    webhook_path: UrlPath
    check: Literal["required", "served", "off"]
    events: list[Text]


class Smoke(Section, frozen=True, kw_only=True):
    """The checks after a deployment (8.1).

    Attributes:
        version_path: Tells the version; empty for a service that tells none, whose health alone is looked at.

    """

    health_path: UrlPath
    version_path: UrlPathOrNone
    dependencies: list[Text]
    timeout: Span
    attempts: Count


class Journal(Section, frozen=True, kw_only=True):
    """Where deployments are recorded."""

    bucket: Bucket
    prefix: str


class Lock(Section, frozen=True, kw_only=True):
    """How long a deployment holds its environment without renewing."""

    lease: Span


class Settings(Section, frozen=True, kw_only=True):
    """Everything that differs between environments."""

    aws: AwsSettings
    clock: ClockSettings
    stack: StackSettings | None = None
    endpoints: Endpoints
    infrastructure: Infrastructure
    service: Service
    build: Build
    database: Database
    cache: Cache
    deployment: Deployment
    rollout: Rollout
    rollback: Rollback
    canary: Canary
    alarms: Alarms
    slo: Slo
    notifications: Notifications
    windows: Windows
    gates: Gates
    payments: Payments
    smoke: Smoke
    journal: Journal
    lock: Lock

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        tasks = self.infrastructure
        if not tasks.min_tasks <= self.service.desired_count <= tasks.max_tasks:
            yield (
                "service.desired_count",
                f"is outside infrastructure.min_tasks to max_tasks ({tasks.min_tasks} to {tasks.max_tasks})",
            )
        if self.rollback.error_rate_percent <= self.slo.error_rate_percent:
            yield (
                "rollback.error_rate_percent",
                f"is not above slo.error_rate_percent ({self.slo.error_rate_percent:g})",
            )
        if self.canary.slow_percent <= 100 - self.slo.latency_percentile:
            allowed = f"{100 - self.slo.latency_percentile:g} %"
            yield "canary.slow_percent", f"is not above the {allowed} that slo.latency_percentile allows"
        if self.stack is None and self.clock.minute.minutes != 1:
            yield "clock.minute", "expected 1m: only a local stack's clock can run faster"
        if self.stack is None and not self.endpoints.production:
            yield "endpoints.production", "is empty, but there is no local stack to ask for it"
        if PurePosixPath(self.service.task_definition).is_absolute():
            yield "service.task_definition", "expected a path inside the project"
