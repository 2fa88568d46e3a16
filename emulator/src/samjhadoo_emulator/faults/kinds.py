"""The kinds of faults: each a JSON object with a `kind`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

Rate = Annotated[float, msgspec.Meta(gt=0, le=1)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Status = Annotated[int, msgspec.Meta(ge=400, le=599)]
Callers = Literal["clients", "services"]


class BaseFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind"):
    """The base of every fault: a JSON object with a `kind` and no member that the kind does not know."""


class Disturbance(BaseFault, frozen=True, kw_only=True):
    """A fault of calls.

    Attributes:
        service: botocore's name of the service, or `*`.
        callers: Whose calls: AWS clients' or those of the emulator's own services (which poll alarms, for
            example, as AWS's do).
        rate: The share of calls that are struck.
        count: How many calls are struck at most; then the fault is over. None: until it is removed.
        skip: How many matching calls pass first.
        seed: Makes the choice of calls repeatable.
    """

    service: str = "*"
    operation: str = "*"
    callers: Callers = "clients"
    rate: Rate = 1.0
    count: Count | None = None
    skip: Natural = 0
    seed: int | None = None


class Throttle(Disturbance, frozen=True, kw_only=True, tag="throttle"):
    """The call is refused with a throttling error and changes nothing."""

    code: str = "ThrottlingException"
    message: str = "Rate exceeded"
    status: Status = 400


class Refusal(Disturbance, frozen=True, kw_only=True, tag="error"):
    """The call is refused with any error and changes nothing."""

    code: str
    message: str = ""
    status: Status = 400


class LostResponse(Disturbance, frozen=True, kw_only=True, tag="lost-response"):
    """The call is carried out, but the client gets a 5xx, or (`close`) the connection is closed."""

    close: bool = False
    status: Annotated[int, msgspec.Meta(ge=500, le=599)] = 500


class Latency(Disturbance, frozen=True, kw_only=True, tag="latency"):
    """The call is carried out after some real seconds."""

    seconds: Seconds


class UnknownValue(Disturbance, frozen=True, kw_only=True, tag="unknown-value"):
    """Every member of that name in a JSON answer has a value that no model lists."""

    service: str = "ecs"
    operation: str = "DescribeServiceDeployments"
    member: str = "lifecycleStage"
    value: str = "SOMETHING_NEW"


class MissedAlarms(Disturbance, frozen=True, kw_only=True, tag="missed-alarms"):
    """ECS's poll of the deployment alarms finds none in ALARM (AWS: when it is throttled)."""

    service: str = "ecs"
    operation: str = "PollAlarms"
    callers: Callers = "services"


class LateMetrics(Disturbance, frozen=True, kw_only=True, tag="late-metrics"):
    """Metric data is accepted, but can be read (by alarms, too) only after some emulated minutes, or never.
    Its timestamps stay as they were, so that a period fills up afterwards, as on AWS.

    Attributes:
        namespace: Of the metrics; `*`: every one, those that the emulator itself publishes included.
        metric: The metrics' name; `*`: every one.
        minutes: Emulated minutes until the data is there; None: it is lost.
    """

    service: str = "cloudwatch"
    operation: str = "IngestMetricData"
    callers: Callers = "services"
    namespace: str = "*"
    metric: str = "*"
    minutes: Seconds | None = None


class OfTasks(BaseFault, frozen=True, kw_only=True):
    """A fault of tasks: of one (ARN or id), or of running tasks of a service, the newest first.

    Attributes:
        count: How many of the service's tasks; None: all.
    """

    task: str = ""
    cluster: str = "default"
    service: str = ""
    count: Count | None = 1
    region: str = ""

    def __post_init__(self) -> None:
        if bool(self.task) == bool(self.service):
            raise ValueError("name either a task or a service")


class KilledTask(OfTasks, frozen=True, kw_only=True, tag="killed-task"):
    """The processes of essential containers are killed, as by a crash (exit code 137)."""


class PartitionedTask(OfTasks, frozen=True, kw_only=True, tag="partitioned-task"):
    """Nothing reaches the processes of a task any more, until the fault is removed: they are suspended, so
    that connections are accepted by the kernel but never answered.
    """


class SecondDeployer(BaseFault, frozen=True, kw_only=True, tag="second-deployer"):
    """Another client deploys: `UpdateService` with a new deployment forced, or with a task definition."""

    service: str
    cluster: str = "default"
    task_definition: str = ""
    region: str = ""


class ClockJump(BaseFault, frozen=True, kw_only=True, tag="clock-jump"):
    """The emulated clock jumps, forwards or backwards; the clients' clocks do not."""

    minutes: float


Fault = (
    Throttle | Refusal | LostResponse | Latency | UnknownValue | MissedAlarms | LateMetrics
    | KilledTask | PartitionedTask | SecondDeployer | ClockJump
)  # fmt: skip


def fault_of(document: bytes) -> Fault:
    """Return the fault that a JSON document describes.

    Raises:
        msgspec.ValidationError: It is not a fault; the text describes what is wrong, and where.
    """
    fault: Fault = msgspec.json.decode(document, type=Fault)
    return fault


def document_of(fault: Fault) -> dict[str, Any]:
    """Return a fault as its JSON object."""
    document: dict[str, Any] = msgspec.to_builtins(fault)
    return document
