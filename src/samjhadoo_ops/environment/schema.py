"""The schema of the settings: one Struct per table of `environments/*.toml`.

The comments in `base.toml` explain each setting. Section numbers refer to the deployment plan.
"""

# ruff: noqa: TC001 - msgspec reads the annotations when the program runs

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from samjhadoo_ops.environment.secret import SecretRef
from samjhadoo_ops.environment.section import Section
from samjhadoo_ops.environment.value_types import (
    Account,
    AlarmTime,
    BackupDays,
    Bake,
    Bucket,
    CertificateArn,
    Cidr,
    ClockMinute,
    Count,
    Email,
    GitHubRepository,
    Grace,
    HookTimeout,
    HostName,
    ImageName,
    ImageNameOrNone,
    Limit,
    Mebibytes,
    Memory,
    NetworkCidr,
    Origin,
    Percent,
    Port,
    ProviderArn,
    RateLimit,
    Region,
    Registry,
    Repository,
    RoleArn,
    Share,
    Span,
    StackPrefix,
    Text,
    TrafficPercent,
    Url,
    UrlOrNone,
    UrlPath,
    UrlPathOrNone,
    names_registry,
)
from samjhadoo_ops.environment.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

_GIB = 1024
# CPU units and the MiB each allows ("Task size" in the ECS developer guide); Flyway needs no larger ones.
FARGATE_MEMORY = {
    256: (512, *range(_GIB, 2 * _GIB + 1, _GIB)),
    512: tuple(range(_GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
}
# CPU units and MiB of a task for an EC2 instance type: what the instance has (EC2's guide).
TASK_SIZES = {
    "t3.medium": {"cpu": "2048", "memory": "4096"},
    "t3.large": {"cpu": "2048", "memory": "8192"},
    "t3.xlarge": {"cpu": "4096", "memory": "16384"},
    "t3.2xlarge": {"cpu": "8192", "memory": "32768"},
}
_SUBSCRIBERS = 5
POLICIES = ("refuse", "warn", "off")
_STRIPE_VERSION = re.compile(r"20[0-9]{2}-[01][0-9]-[0-3][0-9](\.[a-z]+)?")
_ECR = re.compile(r"[0-9]{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com/[a-z0-9][a-z0-9._/-]*")
_REPLICA = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]/[A-Za-z][A-Za-z0-9-]*")
GUARDED = (
    ("aws", "account"),
    ("deployment", "alarms"),
    ("deployment", "circuit_breaker"),
    ("gates",),
    ("journal",),
    ("lock",),
    ("payments", "check"),
    ("rollback",),
    ("windows",),
)
"""What keeps a bad release out or takes it back. Where releases are real, only the files, which are reviewed,
decide on it; a variable leaves no trace there."""
LiveService = Literal["application-autoscaling", "cloudformation", "cloudwatch", "ecr", "ecs", "elbv2"]
"""The AWS services that the emulator runs itself."""


class AwsSettings(Section, frozen=True, kw_only=True):
    """Region, account and credentials (1.2)."""

    region: Region
    account: Account
    profile: str
    role_arn: RoleArn
    retries: Count


class ClockSettings(Section, frozen=True, kw_only=True):
    """How fast time passes; only a local stack's clock may be faster than real time."""

    minute: ClockMinute


class EndpointSettings(Section, frozen=True, kw_only=True):
    """URLs of the load balancer's listeners; empty where the local stack provides them."""

    production: UrlOrNone
    test: UrlOrNone


class Infrastructure(Section, frozen=True, kw_only=True):
    """The size of the environment (1.2), and the stacks that hold it."""

    prefix: StackPrefix
    stacks: list[Text]
    multi_az: bool
    instance_type: Text
    min_tasks: Count
    max_tasks: Count
    protection: bool
    network_cidr: NetworkCidr
    nat: Literal["none", "one", "per-zone"]
    interface_endpoints: bool
    test_cidr: Cidr
    certificate: CertificateArn
    hosted_zone: str
    access_logs: bool
    container_insights: Literal["disabled", "enabled", "enhanced"]
    scaling_cpu_percent: Percent

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.max_tasks < self.min_tasks:
            yield "max_tasks", f"is below min_tasks ({self.min_tasks})"
        if self.nat == "per-zone" and not self.multi_az:
            yield "nat", "expected none or one: without multi_az, tasks run in one zone"


class GitHub(Section, frozen=True, kw_only=True):
    """The repository whose workflows deploy (3.1)."""

    repository: GitHubRepository
    subject_prefix: str
    identity_provider: ProviderArn


class Edge(Section, frozen=True, kw_only=True):
    """CloudFront and the web application firewall (1.1)."""

    rate_limit: RateLimit
    certificate: CertificateArn


class Service(Section, frozen=True, kw_only=True):
    """The ECS service and its load balancer (3.1)."""

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
            yield "target_groups", "is empty; a service without a load balancer cannot be deployed yet"
        elif len(self.target_groups) != len(set(self.target_groups)):
            yield "target_groups", "names a target group twice"
        elif len(self.target_groups) > 2:  # noqa: PLR2004 - one is in production, one is not
            yield "target_groups", "expected at most two: one serves, the other receives the new release"
        if self.production_listener_port == self.test_listener_port:
            yield "test_listener_port", "must differ from production_listener_port"


class Build(Section, frozen=True, kw_only=True):
    """How the image is built, and its repository (3.1)."""

    command: list[Text]
    builder: Literal["oci", "docker"]
    base: Literal["registry", "host"]
    context: Text
    dockerfile: Text
    repository: Repository
    platform: Text
    args: dict[str, str]
    bases: dict[str, str]
    cache_from: list[Text]
    cache_to: list[Text]
    pull_from: list[Text]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        for image, dockerfile in self.bases.items():
            path = PurePosixPath(dockerfile)
            if not dockerfile or path.is_absolute() or ".." in path.parts:
                yield f'bases."{image}"', "expected the path of a Dockerfile inside the context"
        for key, caches in (("cache_from", self.cache_from), ("cache_to", self.cache_to)):
            for cache in caches:
                if "type=" not in cache:
                    yield key, f"expected buildx's syntax, such as type=registry,ref=…, got {cache!r}"
        for name in self.pull_from:
            if not _ECR.fullmatch(name):
                yield "pull_from", f"{name!r}: expected ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY"


class MigrationTask(Section, frozen=True, kw_only=True):
    """The task that runs Flyway in the cluster; empty values are taken from the service."""

    cpu: Count
    memory: Memory
    subnets: list[Text]
    security_groups: list[Text]
    execution_role: RoleArn
    log_group: str

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.cpu not in FARGATE_MEMORY:
            yield "cpu", f"expected one of {', '.join(map(str, FARGATE_MEMORY))}"
        elif self.memory not in FARGATE_MEMORY[self.cpu]:
            least, *_, most = FARGATE_MEMORY[self.cpu]
            yield "memory", f"for cpu {self.cpu}, Fargate takes whole GiB from {least} to {most} MiB"


class Database(Section, frozen=True, kw_only=True):
    """RDS and its migrations (2.1, 2.2)."""

    engine: Literal["postgres"]
    engine_version: Text
    instance: Text
    storage_gb: Count
    storage_type: Text
    backup_retention_days: BackupDays
    read_replicas: list[Region]
    extended_support: bool
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
            yield (
                "secret",
                "expected secretsmanager:NAME: with this runner, ECS passes the secret's keys to the task",
            )
        if self.lock_timeout >= self.migrate_timeout:
            yield "lock_timeout", f"must be below migrate_timeout ({self.migrate_timeout})"


class Cache(Section, frozen=True, kw_only=True):
    """ElastiCache."""

    node_type: Text
    secret: SecretRef


class Windows(Section, frozen=True, kw_only=True):
    """When deployments are allowed (9)."""

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
    api_version: str
    check: Literal["required", "served", "off"]
    events: list[Text]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.api_version and not _STRIPE_VERSION.fullmatch(self.api_version):
            yield "api_version", "expected a version of Stripe's API, such as 2026-10-28.endive"


class Smoke(Section, frozen=True, kw_only=True):
    """The smoke test (8.1)."""

    health_path: UrlPath
    version_path: UrlPathOrNone
    dependencies: list[Text]
    timeout: Span
    attempts: Count


class JournalSettings(Section, frozen=True, kw_only=True):
    """Where deployments are recorded."""

    bucket: Bucket
    prefix: str


class LockSettings(Section, frozen=True, kw_only=True):
    """How long a run keeps its lock without renewing it."""

    lease: Span


class UsageAlarm(Section, frozen=True, kw_only=True):
    """An alarm that fires above a percentage."""

    percent: Percent
    time: AlarmTime


class LatencyAlarm(Section, frozen=True, kw_only=True):
    """An alarm that fires when a percentile of the latency is above a threshold."""

    threshold: Span
    percentile: Percent
    time: AlarmTime


class Alarms(Section, frozen=True, kw_only=True):
    """CloudWatch alarms (5.1)."""

    cpu: UsageAlarm
    memory: UsageAlarm
    errors: UsageAlarm
    latency: LatencyAlarm


class Slo(Section, frozen=True, kw_only=True):
    """Service level objectives (5.2)."""

    availability_percent: Percent
    latency: Span
    latency_percentile: Percent
    error_rate_percent: Percent
    period: Span


class Notifications(Section, frozen=True, kw_only=True):
    """Who is notified, and where (7)."""

    slack_channel: str
    slack_webhook: SecretRef | None = None
    email: list[Email]
    sender: Email
    topic: str
    customer_email: Email
    status_page: UrlOrNone = ""
    status_page_token: SecretRef | None = None


class HookTimeouts(Section, frozen=True, kw_only=True):
    """How long ECS waits at a pause that nobody answers before it rolls back."""

    test: HookTimeout
    production: HookTimeout


class Deployment(Section, frozen=True, kw_only=True):
    """The deployment strategy and its times (3.2)."""

    strategy: Literal["CANARY", "ROLLING"]
    canary_percent: TrafficPercent
    canary_time: Bake
    bake_time: Bake
    hook_timeouts: HookTimeouts
    poll: Span
    circuit_breaker: Count
    alarms: list[Text]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if abs(self.canary_percent * 10 - round(self.canary_percent * 10)) > 1e-9:  # noqa: PLR2004 - rounding of floats
            yield "canary_percent", "expected a multiple of 0.1"


class Rollback(Section, frozen=True, kw_only=True):
    """When a deployment is rolled back (6.1)."""

    failed_health_checks: Count
    error_rate_percent: Percent
    error_rate_time: Span
    deployment_timeout: Span
    on_interrupt: Literal["rollback", "leave"]
    unmonitored: Literal["rollback", "warn"]


class PaymentMetrics(Section, frozen=True, kw_only=True):
    """CloudWatch metrics that count payment outcomes for each release (8.2).

    In dimension values, `$target_group`, `$revision` and `$task_definition` stand for the release's own.
    """

    namespace: Text
    deliveries: Text
    failures: Text
    dimensions: dict[str, str]
    expected_percent: Percent
    failed_percent: Percent

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        if self.failed_percent <= self.expected_percent:
            yield "failed_percent", f"is not above expected_percent ({self.expected_percent:g})"
        if not any("$" in value for value in self.dimensions.values()):
            yield (
                "dimensions",
                "does not distinguish releases: one value needs $target_group, $revision or $task_definition",
            )


class Canary(Section, frozen=True, kw_only=True):
    """The canary analysis (8.2). `slo` has the objectives, `rollback` the rules that roll back at once."""

    false_alarm: Share
    miss: Share
    slow_percent: Percent
    minimum_requests: Count
    window_requests: Count
    provisional: AlarmTime
    inconclusive: list[Literal["extend", "synthetic", "ask", "rollback", "continue"]]
    extend: Bake
    synthetic_requests: Count
    payments: PaymentMetrics | None = None

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        ends = {"ask", "rollback", "continue"}
        if not self.inconclusive or self.inconclusive[-1] not in ends:
            yield "inconclusive", "must end with ask, rollback or continue"
        elif ends & set(self.inconclusive[:-1]):
            yield "inconclusive", "nothing may follow ask, rollback or continue"
        elif len(set(self.inconclusive)) < len(self.inconclusive):
            yield "inconclusive", "lists a policy twice"


class Rollout(Section, frozen=True, kw_only=True):
    """How many services are deployed in parallel, and what happens to the others when one fails."""

    parallel: Count
    on_failure: Literal["stop", "continue", "rollback"]


class ImageGate(Section, frozen=True, kw_only=True):
    """How many findings an image scan may have, by severity; -1 for any number."""

    unscanned: Literal["skip", "refuse"]
    wait: Span
    critical: Limit
    high: Limit
    medium: Limit


class MigrationsGate(Section, frozen=True, kw_only=True):
    """Which findings of pending migrations count, and what an answer that is not known leads to."""

    exclude: list[Text]
    small_table: Mebibytes
    unknown: Literal["refuse", "warn"]
    rollback_window: Span


class RollbackTargetGate(Section, frozen=True, kw_only=True):
    """How long the repository's lifecycle policy must keep the image of the running release."""

    image_kept: Span


class CapacityGate(Section, frozen=True, kw_only=True):
    """The service quota that limits Fargate."""

    quota: Text


class ErrorBudgetGate(Section, frozen=True, kw_only=True):
    """How much of the error budget must be left."""

    remaining_percent: Percent


class ReplicasGate(Section, frozen=True, kw_only=True):
    """The database's read replicas and how far they may lag."""

    instances: list[Text]
    lag: Span

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        for name in self.instances:
            if not _REPLICA.fullmatch(name):
                yield (
                    "instances",
                    f"{name!r}: expected region/identifier, such as us-east-1/samjhadoo-replica",
                )


class Gates(Section, frozen=True, kw_only=True):
    """What is checked before a deployment changes anything."""

    on_unknown: Literal["skip", "refuse"]
    policy: dict[str, str]
    image: ImageGate
    migrations: MigrationsGate
    rollback_target: RollbackTargetGate
    capacity: CapacityGate
    error_budget: ErrorBudgetGate
    replicas: ReplicasGate

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        for name, policy in self.policy.items():
            if policy not in POLICIES:
                yield f"policy.{name}", f"expected one of {', '.join(POLICIES)}, got {policy!r}"


class Images(Section, frozen=True, kw_only=True):
    """Images of the containers stack."""

    registry: Registry
    postgres: ImageName
    redis: ImageName
    localstack: ImageName
    pause: ImageNameOrNone

    def named(self, image: str) -> str:
        """Return an image's full name: with the registry, unless it names its own."""
        return image if not self.registry or names_registry(image) else f"{self.registry.rstrip('/')}/{image}"


class StackSettings(Section, frozen=True, kw_only=True):
    """The local stack: its kind, its preferred ports, and its containers.

    Attributes:
        upstream: Serves what the emulator does not; empty: moto (embedded) or LocalStack (containers).
        upstream_ca: A file of CA certificates for the upstream's https; empty: the system's.
        passed_on: Services that the emulator leaves to the upstream.
        host_packages: Base images for whose Python packages those of this machine stand, or `*`.
        allow_origins: Origins whose web pages may use the local AWS.
        allow_hosts: Further names under which clients reach it, or `*.NAME`.
        allow_users: Other users of this machine who may use it.
        require_key: Who has to send the stack's key as the access key id.
        localstack: Environment variables of LocalStack's container.
    """

    kind: Literal["embedded", "containers"]
    edge_port: Port
    postgres_port: Port
    redis_port: Port
    upstream: UrlOrNone
    upstream_ca: str
    passed_on: list[LiveService]
    host_packages: list[Text]
    allow_origins: list[Origin]
    allow_hosts: list[HostName]
    allow_users: list[str]
    require_key: Literal["never", "unknown", "always"]
    images: Images
    localstack: dict[str, str]

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as in Section
        seen: dict[int, str] = {}
        for key in ("edge_port", "postgres_port", "redis_port"):
            other = seen.setdefault(getattr(self, key), key)
            if other != key:
                yield key, f"must differ from {other}"
        if self.upstream and urlsplit(self.upstream).path not in ("", "/"):
            yield "upstream", "expected a URL without a path"
        if self.upstream_ca and not self.upstream.startswith("https:"):
            yield "upstream_ca", "needs an upstream with https"
        if self.require_key == "always" and self.kind == "containers":
            yield "require_key", "cannot be always with kind = containers: Docker pushes without a login"
        for name, value in self.localstack.items():
            if not name or "=" in name or "\0" in name + value:
                yield "localstack", f"{name!r}: not a valid environment variable"


class Settings(Section, frozen=True, kw_only=True):
    """All settings of an environment."""

    aws: AwsSettings
    clock: ClockSettings
    stack: StackSettings | None = None
    endpoints: EndpointSettings
    infrastructure: Infrastructure
    github: GitHub
    edge: Edge
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
    journal: JournalSettings
    lock: LockSettings

    def problems(self) -> Iterator[tuple[str, str]]:  # noqa: D102 - as above
        tasks = self.infrastructure
        if not tasks.min_tasks <= self.service.desired_count <= tasks.max_tasks:
            yield (
                "service.desired_count",
                f"is outside infrastructure.min_tasks to max_tasks ({tasks.min_tasks} to {tasks.max_tasks})",
            )
        yield from self._stack_problems()
        unsized = "" in (self.service.variables.get(name) for name in ("cpu", "memory"))
        if unsized and tasks.instance_type not in TASK_SIZES:
            yield (
                "infrastructure.instance_type",
                f"expected one of {', '.join(TASK_SIZES)}; or set cpu and memory in service.variables",
            )
        if self.deployment.strategy != "ROLLING" and len(self.service.target_groups) == 1:
            yield (
                "service.target_groups",
                "expected two target groups for CANARY: one serves, the other receives the new release",
            )
        if self.rollback.error_rate_percent <= self.slo.error_rate_percent:
            yield (
                "rollback.error_rate_percent",
                f"must be above slo.error_rate_percent ({self.slo.error_rate_percent:g})",
            )
        if self.canary.slow_percent <= 100 - self.slo.latency_percentile:
            allowed = f"{100 - self.slo.latency_percentile:g} %"
            yield "canary.slow_percent", f"must be above the {allowed} that slo.latency_percentile allows"
        if self.stack is None and self.clock.minute.minutes != 1:
            yield "clock.minute", "must be 1m; only a local stack's clock can run faster"
        if self.stack is None and not self.endpoints.production:
            yield "endpoints.production", "is empty; only a local stack provides its own"
        if PurePosixPath(self.service.task_definition).is_absolute():
            yield "service.task_definition", "must be a path relative to the project"

    def _stack_problems(self) -> Iterator[tuple[str, str]]:
        """Yield what the environment's templates cannot make."""
        made = self.infrastructure
        isolated = made.nat == "none" and not made.interface_endpoints
        if isolated and self.stack is None and "network" in made.stacks:
            yield "infrastructure.nat", "with none, tasks need interface_endpoints to get their images"
        emails = len(self.notifications.email)
        if emails > _SUBSCRIBERS and "delivery" in made.stacks:
            yield (
                "notifications.email",
                f"has {emails} addresses, but the stack delivery subscribes at most five: use a mailing list",
            )
