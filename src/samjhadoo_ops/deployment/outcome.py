"""In which phase a service deployment is: a pure function of what ECS shows.

The phase comes from the status, the traffic weights and the open hooks. Stage names only refine it,
because ECS's documentation leaves open whether the canary bakes before or after the second gate and
because the list of stages is not closed (`PRE_PRODUCTION_TRAFFIC_SHIFT` is documented but missing from
the API's model).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum, auto
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from samjhadoo_ops.report.failure import StartingTasks

AWAITING_ACTION = "AWAITING_ACTION"


@dataclass(frozen=True)
class Hook:
    """One visit of a lifecycle hook.

    Attributes:
        id: Fresh for every visit.
        status: `AWAITING_ACTION` while the deployment is paused by it.
        expires_at: When ECS acts by itself.
        timeout_action: What ECS does then.
    """

    id: str
    status: str
    target_type: str = "PAUSE"
    expires_at: datetime | None = None
    timeout_action: str = "ROLLBACK"

    @property
    def waiting(self) -> bool:
        """Return whether the hook waits for an answer."""
        return self.status == AWAITING_ACTION and self.target_type == "PAUSE"


@dataclass(frozen=True)
class Observation:
    """One answer of DescribeServiceDeployments.

    Attributes:
        stage: The lifecycle stage; open-ended, never decided upon alone.
        production_weight: Percent of production traffic on the new revision; None when ECS moves none.
        test_weight: Percent of test traffic on the new revision; None when there is no test listener.
        current: The service's current deployment, when it has been read.
    """

    arn: str
    status: str
    stage: str = ""
    reason: str = ""
    production_weight: float | None = None
    test_weight: float | None = None
    requested: int = 0
    running: int = 0
    pending: int = 0
    hooks: tuple[Hook, ...] = ()
    target_revision: str = ""
    source_revisions: tuple[str, ...] = ()
    rollback_revision: str = ""
    breaker: str = ""
    failures: int = 0
    alarms: str = ""
    triggered_alarms: tuple[str, ...] = ()
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    current: str | None = None

    @property
    def waiting_hooks(self) -> tuple[Hook, ...]:
        """Return the pause hooks that wait for an answer."""
        return tuple(hook for hook in self.hooks if hook.waiting)


def observe(document: Mapping[str, Any], *, current: str | None = None) -> Observation:
    """Read a ServiceDeployment document of the ECS API.

    Args:
        document: One of `serviceDeployments[]` of DescribeServiceDeployments.
        current: The service's `currentServiceDeployment`, when known.
    """
    target = document.get("targetServiceRevision", {})
    breaker = document.get("deploymentCircuitBreaker", {})
    alarms = document.get("alarms", {})
    rollback = document.get("rollback", {})
    return Observation(
        arn=document["serviceDeploymentArn"],
        status=document.get("status", ""),
        stage=document.get("lifecycleStage", ""),
        reason=document.get("statusReason") or rollback.get("reason", ""),
        production_weight=target.get("requestedProductionTrafficWeight"),
        test_weight=target.get("requestedTestTrafficWeight"),
        requested=target.get("requestedTaskCount", 0),
        running=target.get("runningTaskCount", 0),
        pending=target.get("pendingTaskCount", 0),
        hooks=tuple(_hook(detail) for detail in document.get("lifecycleHookDetails", ())),
        target_revision=target.get("arn", ""),
        source_revisions=tuple(source["arn"] for source in document.get("sourceServiceRevisions", ())),
        rollback_revision=rollback.get("serviceRevisionArn", ""),
        breaker=breaker.get("status", ""),
        failures=breaker.get("failureCount", 0),
        alarms=alarms.get("status", ""),
        triggered_alarms=tuple(alarms.get("triggeredAlarmNames", ())),
        created_at=document.get("createdAt"),
        started_at=document.get("startedAt"),
        finished_at=document.get("finishedAt") or document.get("stoppedAt"),
        current=current,
    )


def _hook(detail: Mapping[str, Any]) -> Hook:
    return Hook(
        id=detail["hookId"],
        status=detail.get("status", ""),
        target_type=detail.get("targetType", "PAUSE"),
        expires_at=detail.get("expiresAt"),
        timeout_action=detail.get("timeoutAction", "ROLLBACK"),
    )


FULL_WEIGHT = 100.0


class Phase(StrEnum):
    """What a deployment is doing, in the order of a good one; then the ways it ends."""

    SCALING_UP = "scaling up"
    TESTING = "testing"
    BEFORE_CANARY = "before the canary"
    CANARY = "canary"
    BEFORE_FULL = "before full traffic"
    BAKING = "baking"
    CLEANING_UP = "cleaning up"
    SUCCEEDED = "succeeded"
    ROLLING_BACK = "rolling back"
    ROLLED_BACK = "rolled back"
    ROLLBACK_FAILED = "rollback failed"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    UNKNOWN = "in progress"

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self in _ENDED

    @property
    def exit_code(self) -> ExitCode | None:
        """Return what a deploy that ends in this phase exits with; None while it is in progress."""
        return _ENDED.get(self)


_ENDED = {
    Phase.SUCCEEDED: ExitCode.SUCCEEDED,
    Phase.ROLLED_BACK: ExitCode.ROLLED_BACK,
    Phase.ROLLBACK_FAILED: ExitCode.NEEDS_A_PERSON,
    Phase.STOPPED: ExitCode.NEEDS_A_PERSON,
    Phase.SUPERSEDED: ExitCode.NEEDS_A_PERSON,
}
_TERMINAL = {
    "SUCCESSFUL": Phase.SUCCEEDED,
    "ROLLBACK_SUCCESSFUL": Phase.ROLLED_BACK,
    "ROLLBACK_FAILED": Phase.ROLLBACK_FAILED,
}
_ROLLING_BACK = frozenset({"ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"})
_STOPPED = {"STOP_REQUESTED": Phase.STOPPING, "STOPPED": Phase.STOPPED}
_SCALING_STAGES = frozenset({"", "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP"})
_TESTING_STAGES = frozenset({"POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"})
_GATE_STAGES = frozenset({"PRE_PRODUCTION_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"})
_LATE_STAGES = frozenset({"POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP"})
_STAGES = _SCALING_STAGES | _TESTING_STAGES | _GATE_STAGES | _LATE_STAGES
_STATUSES = {*_TERMINAL, *_ROLLING_BACK, *_STOPPED, "PENDING", "IN_PROGRESS"}


def phase_of(observed: Observation, *, tested: bool = False) -> Phase:
    """Return the phase a deployment is in.

    Args:
        observed: What ECS shows.
        tested: Whether the new revision has passed its tests; decides what a hook at 0 % waits for
            when the stage's name is not known.
    """
    if observed.status in _TERMINAL:
        return _TERMINAL[observed.status]
    if observed.status in _ROLLING_BACK:
        return Phase.ROLLING_BACK
    if observed.status in _STOPPED:
        replaced = bool(observed.current) and observed.current != observed.arn
        return Phase.SUPERSEDED if replaced else _STOPPED[observed.status]
    if observed.status == "PENDING":
        return Phase.SCALING_UP
    return _under_way(observed, tested=tested)


def unknown_values(observed: Observation) -> set[str]:
    """Return the values of ECS that `phase_of` does not know; a newer API may have more."""
    unknown = {f"status {observed.status!r}"} if observed.status not in _STATUSES else set()
    return unknown | ({f"stage {observed.stage!r}"} if observed.stage not in _STAGES else set())


def _under_way(observed: Observation, *, tested: bool) -> Phase:
    weight = observed.production_weight or 0.0
    if weight >= FULL_WEIGHT:
        return Phase.CLEANING_UP if observed.stage == "CLEAN_UP" else Phase.BAKING
    if weight > 0.0:
        return Phase.BEFORE_FULL if observed.waiting_hooks else Phase.CANARY
    if observed.waiting_hooks:
        return _paused_without_traffic(observed, tested=tested)
    return _without_traffic(observed)


def _paused_without_traffic(observed: Observation, *, tested: bool) -> Phase:
    if observed.stage == "POST_TEST_TRAFFIC_SHIFT":
        return Phase.TESTING
    if observed.stage in _GATE_STAGES:
        return Phase.BEFORE_CANARY
    if observed.stage in _SCALING_STAGES - {""}:
        return Phase.SCALING_UP
    return Phase.BEFORE_CANARY if tested else Phase.TESTING


def _without_traffic(observed: Observation) -> Phase:
    if observed.stage == "CLEAN_UP":
        return Phase.CLEANING_UP
    if observed.stage in _TESTING_STAGES:
        return Phase.TESTING
    if observed.stage in _GATE_STAGES:
        return Phase.BEFORE_CANARY
    if observed.stage in _SCALING_STAGES or observed.running < observed.requested:
        return Phase.SCALING_UP
    return Phase.UNKNOWN


@dataclass(frozen=True)
class Turn:
    """Where a deployment was (weight in percent, seconds on the clock) when it turned back, or ended."""

    phase: Phase
    weight: float | None
    since: float


@dataclass(frozen=True)
class Ending:
    """How a deployment ended, or where it was left.

    Attributes:
        reason: Why it was stopped by this run; empty when it wasn't.
        seconds: Real seconds spent in each phase, by its name.
        turn: Where it was before; None when it was never seen running.
        verdict: The judge's last one.
        starting: What its tasks showed if this run stopped it before they were healthy.
    """

    phase: Phase
    observed: Observation
    reason: str = ""
    seconds: dict[str, float] = field(default_factory=dict)
    turn: Turn | None = None
    verdict: Verdict | None = None
    starting: StartingTasks | None = None


@dataclass(frozen=True)
class Before:
    """What is known of a deployment that was watched before, by a run that ended.

    Attributes:
        started: When it started, on the clock.
        canary_since: When its canary got traffic, on the clock; None when that was not seen.
        reason: Why a rollback had been requested; empty when none had been.
    """

    started: float
    canary_since: float | None = None
    reason: str = ""


class Opinion(Enum):
    """What a judge thinks of a release that gets traffic."""

    OPEN = auto()
    PASS = auto()
    FAIL = auto()
    INCONCLUSIVE = auto()
    """The evidence decides nothing, and a person has to."""
    ENVIRONMENT = auto()
    """Something is wrong that the new release did not cause: neither continue nor roll back."""


@dataclass(frozen=True)
class Verdict:
    """An opinion, why, and the numbers behind it.

    Attributes:
        evidence: What the counts alone allow, where a policy or the end of a pause decided; else None.
        signal: What decided (`errors`, `latency`, `payments`, `no answer`, `share`, `health`); or nothing.
        observed: The fraction that was seen on the new release; None where it isn't one.
        threshold: The fraction it was compared with.
        window: How many seconds on the clock it covers.
        sample: How many requests it covers.
        baseline: The same fraction of the old release beside it; None when that had no requests.
    """

    opinion: Opinion
    reason: str = ""
    signal: str = ""
    observed: float | None = None
    threshold: float | None = None
    window: float | None = None
    sample: int | None = None
    baseline: float | None = None
    evidence: Opinion | None = None

    def decided(self, opinion: Opinion, reason: str = "") -> Verdict:
        """Return the verdict with an opinion that the evidence alone does not give."""
        evidence = self.evidence or self.opinion
        return replace(self, opinion=opinion, reason=reason or self.reason, evidence=evidence)

    def numbers(self) -> dict[str, Any]:
        """Return what is known of it, for events: a release that goes on without evidence has not passed."""
        known = {
            "opinion": (self.evidence or self.opinion).name,
            "signal": self.signal,
            "observed": self.observed,
            "threshold": self.threshold,
            "window": self.window,
            "sample": self.sample,
            "baseline": self.baseline,
        }
        return {key: value for key, value in known.items() if value not in (None, "")}


@dataclass(frozen=True)
class PinnedDeployment:
    """A deployment that ECS has accepted, with what this run knows of it.

    Attributes:
        arn: The pinned service deployment.
        kind: `deploy`; `rollback` to a proven release; `stop` to roll a running one back.
        task_definition: What is deployed; empty where that is not known.
        release: Its version.
        digest: Of its image.
        all_at_once: Whether it shifts all traffic at once, without tests and gates.
        first: Whether there is no release to roll back to.
        before: What a run before saw of it; None when this run started it.
    """

    arn: str
    kind: str = "deploy"
    task_definition: str = ""
    release: str = ""
    digest: str = ""
    all_at_once: bool = False
    first: bool = False
    before: Before | None = None

    @property
    def title(self) -> str:
        """Return the release with its task definition, for people."""
        family = self.task_definition.rpartition("/")[2]
        return f"{self.release} ({family})" if self.release else family
