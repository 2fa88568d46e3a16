"""What a gate is: a read-only function over the facts of a deployment, registered by `@gate`.

Everything about one gate is in one module of this package: its name (the function's), its title, its
policy and what it checks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.ecs import has_served

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.database import Inspection
    from samjhadoo_ops.deployment.ecs import EcsService
    from samjhadoo_ops.deployment.journal import JournalEntry
    from samjhadoo_ops.deployment.lock import LockOwner
    from samjhadoo_ops.deployment.traffic import LoadBalancing
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.release.identity import Identity


class State(StrEnum):
    """Whether a gate lets a deployment through.

    A gate returns OK, REFUSED, SKIPPED or UNKNOWN; settings and overrides decide on the others.
    """

    OK = "ok"
    REFUSED = "refused"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    WARNED = "warning"
    OVERRIDDEN = "overridden"
    OFF = "off"


@dataclass(frozen=True)
class Finding:
    """What a gate found, why, and what would help; `details` are further lines."""

    state: State
    reason: str
    remedy: str = ""
    details: tuple[str, ...] = ()


def ok(reason: str, *, details: tuple[str, ...] = ()) -> Finding:
    """Return that the gate is open."""
    return Finding(State.OK, reason, details=details)


def refused(reason: str, *, remedy: str, details: tuple[str, ...] = ()) -> Finding:
    """Return that the gate is closed, and what would open it."""
    return Finding(State.REFUSED, reason, remedy, details)


def skipped(reason: str) -> Finding:
    """Return that the gate does not apply to this deployment."""
    return Finding(State.SKIPPED, reason)


def unknown(reason: str, *, remedy: str = "", details: tuple[str, ...] = ()) -> Finding:
    """Return that the gate could not decide; `gates.on_unknown` decides whether that refuses."""
    return Finding(State.UNKNOWN, reason, remedy, details)


@dataclass(frozen=True)
class Image:
    """The release's image in the registry.

    Attributes:
        digest: Empty until the image has been pushed.
        fresh: Whether it was pushed just now, so that its scan may still be running.
    """

    version: str
    digest: str = ""
    fresh: bool = False


@dataclass(frozen=True)
class Overrides:
    """Which gates are overridden and why; recorded with the deployment.

    Attributes:
        emergency: Why it cannot wait for the deployment window; empty when it is none.
        approved_by: The manager who approved it.
    """

    reasons: Mapping[str, str] = field(default_factory=dict)
    emergency: str = ""
    approved_by: str = ""

    @property
    def record(self) -> dict[str, Any]:
        """Return what the journal keeps; empty when nothing was requested."""
        known = {
            "overrides": dict(self.reasons),
            "emergency": self.emergency,
            "approved_by": self.approved_by,
        }
        return {key: value for key, value in known.items() if value}


def recorded_overrides(data: Mapping[str, Any]) -> Overrides:
    """Return the overrides that the journal has of a deploy: a resumed one uses the same."""
    overrides = data.get("overrides") or {}
    return Overrides(
        {str(gate): str(reason) for gate, reason in overrides.items()},
        str(data.get("emergency", "")),
        str(data.get("approved_by", "")),
    )


@dataclass(frozen=True)
class Facts:
    """What is known before a deployment, read once for all gates.

    Attributes:
        service: The DescribeServices document; None before the first deployment.
        deployments: The latest service deployments, in brief, newest first.
        render: Renders the task definition as it will be registered.
        source: Returns what the image is, or will be, made from.
        revisions: The service's current revisions by ARN.
        rules: The production rule and the test rule by ARN.
        scaled: Whether auto scaling decides how many tasks run.
        entries: Reads the journal, newest entry first.
        lock_owner: Returns who else holds the deployment lock, or None.
        inspection: What Flyway found; None until it has run.
        image: The release's image; None until it is known.
    """

    env: Environment
    aws: Aws
    ecs: EcsService
    service: dict[str, Any] | None
    deployments: list[dict[str, Any]]
    load_balancing: LoadBalancing
    render: Callable[[], dict[str, Any]] = field(repr=False)
    source: Callable[[], Identity] = field(repr=False)
    revisions: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    rules: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    scaled: bool = False
    entries: Callable[[], list[JournalEntry]] = field(default=list, repr=False)
    lock_owner: Callable[[], LockOwner | None] = field(default=lambda: None, repr=False)
    clock: Clock = field(default_factory=Clock)
    overrides: Overrides = field(default_factory=Overrides)
    inspection: Inspection | None = None
    image: Image | None = None

    @property
    def first(self) -> bool:
        """Return whether no deployment has ever succeeded."""
        return not has_served(self.service, self.deployments)

    @property
    def now(self) -> datetime:
        """Return the clock's current time in UTC."""
        return self.clock.now().astimezone(UTC)

    @property
    def balancer(self) -> str:
        """Return the load balancer as CloudWatch names it: `app/<name>/<id>`."""
        return "/".join(self.load_balancing.production_rule.split("/")[1:4])


class Stage(StrEnum):
    """When a gate can be checked: once the service, the schema or the image is known."""

    SERVICE = "service"
    SCHEMA = "schema"
    IMAGE = "image"


class GatePolicy(StrEnum):
    """What happens when a gate refuses, unless `gates.policy` in the settings decides otherwise."""

    REFUSE = "refuse"
    WARN = "warn"
    MANDATORY = "mandatory"
    """Always refuses: neither a setting nor `--override` opens the gate."""


@dataclass(frozen=True)
class Gate:
    """One thing that must hold before a deployment.

    Attributes:
        name: The name that settings (`gates.policy`) and `--override` use.
        title: What holds when the gate is open, for people.
        overridable: Whether `--override` opens it; never for a mandatory gate.
    """

    name: str
    title: str
    check: Callable[[Facts], Finding]
    stage: Stage = Stage.SERVICE
    policy: GatePolicy = GatePolicy.REFUSE
    overridable: bool = True

    @property
    def mandatory(self) -> bool:
        """Return whether no setting can switch the gate off."""
        return self.policy is GatePolicy.MANDATORY


GATES: dict[str, Gate] = {}
"""All gates by name, in the order in which they are shown."""


def gate(
    title: str,
    *,
    stage: Stage = Stage.SERVICE,
    policy: GatePolicy = GatePolicy.REFUSE,
    overridable: bool = True,
) -> Callable[[Callable[[Facts], Finding]], Callable[[Facts], Finding]]:
    """Register a check as a gate under the function's name; the function itself stays as it is."""

    def register(check: Callable[[Facts], Finding]) -> Callable[[Facts], Finding]:
        name = check.__name__
        GATES[name] = Gate(
            name, title, check, stage, policy, overridable and policy is not GatePolicy.MANDATORY
        )
        return check

    return register
