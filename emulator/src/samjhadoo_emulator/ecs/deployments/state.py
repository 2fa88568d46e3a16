"""The state of a service deployment, what it was started with, and what is observed: immutable data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.variants import BREAKER_FOR_ROLLING_ONLY, BREAKER_STRICT

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_emulator.ecs.deployments.steps import Stage, Step


class Status(StrEnum):
    """`ServiceDeployment.status`."""

    PENDING = "PENDING"
    SUCCESSFUL = "SUCCESSFUL"
    STOPPED = "STOPPED"
    STOP_REQUESTED = "STOP_REQUESTED"
    IN_PROGRESS = "IN_PROGRESS"
    ROLLBACK_REQUESTED = "ROLLBACK_REQUESTED"
    ROLLBACK_IN_PROGRESS = "ROLLBACK_IN_PROGRESS"
    ROLLBACK_SUCCESSFUL = "ROLLBACK_SUCCESSFUL"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"


TERMINAL = frozenset({Status.SUCCESSFUL, Status.STOPPED, Status.ROLLBACK_SUCCESSFUL, Status.ROLLBACK_FAILED})


class HookStatus(StrEnum):
    """`lifecycleHookDetails[].status`."""

    AWAITING_ACTION = "AWAITING_ACTION"
    IN_PROGRESS = "IN_PROGRESS"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"


@dataclass(frozen=True)
class Hook:
    """One call of a lifecycle hook.

    Attributes:
        id: `ecs-pause-…` or `ecs-lambda-…`; a fresh one at each visit of a stage.
        target_type: `PAUSE` or `AWS_LAMBDA`.
        status: Its status.
        expires_at: Unix time of the time-out.
        timeout_action: `ROLLBACK` or `CONTINUE`.
        target_arn: The function of a Lambda hook.
        details: `hookDetails` of a Lambda hook.
        reason: Why it failed, in AWS's words.
        expired: Nobody answered in time, whatever was done then.
    """

    id: str
    target_type: str
    stage: Stage
    status: HookStatus
    expires_at: float
    timeout_action: str = "ROLLBACK"
    target_arn: str = ""
    details: Any = None
    reason: str = ""
    expired: bool = False

    @property
    def open(self) -> bool:
        """Whether it waits for an answer."""
        return self.status in (HookStatus.AWAITING_ACTION, HookStatus.IN_PROGRESS)

    @property
    def failure(self) -> str:
        """Why the deployment cannot go on; empty if it can."""
        if self.status is HookStatus.FAILED:
            return f"{self.stage} lifecycle hook(s) failed. {self.reason}".strip()
        if self.status is HookStatus.TIMED_OUT:
            kind = "pause" if self.target_type == "PAUSE" else "lifecycle"
            return f"{self.stage} {kind} hook timed out."
        return ""


@dataclass(frozen=True)
class Plan:
    """What a deployment was started with; it never changes.

    Attributes:
        steps: What it visits.
        has_candidate: Whether there is a successful revision to go back to.
        new_hook_id: Makes the id of a hook from its target type.
        variants: Readings of what AWS does not document (`variants.VARIANTS`).
    """

    configuration: dict[str, Any]
    steps: tuple[Step, ...]
    has_candidate: bool
    new_hook_id: Callable[[str], str]
    variants: frozenset[str] = frozenset()

    @property
    def rolling(self) -> bool:
        return bool(self.configuration.get("strategy", "ROLLING") == "ROLLING")

    @property
    def breaker(self) -> dict[str, Any]:
        """`deploymentCircuitBreaker`, as far as it counts."""
        if BREAKER_FOR_ROLLING_ONLY in self.variants and not self.rolling:
            return {}
        return self.configuration.get("deploymentCircuitBreaker") or {}

    @property
    def breaker_resets(self) -> bool:
        """Whether a healthy task resets what the circuit breaker has counted."""
        return bool(self.breaker.get("resetOnHealthyTask", True))

    @property
    def breaker_strict(self) -> bool:
        """Whether the circuit breaker counts by the letter once a task has run."""
        return BREAKER_STRICT in self.variants

    @property
    def rolls_back_alarms(self) -> bool:
        return bool(self.configuration.get("alarms", {}).get("rollback"))

    @property
    def rolls_back_breaker(self) -> bool:
        return bool(self.configuration.get("deploymentCircuitBreaker", {}).get("rollback"))

    def hooks_of(self, stage: Stage) -> list[dict[str, Any]]:
        hooks = self.configuration.get("lifecycleHooks", [])
        return [hook for hook in hooks if stage in hook.get("lifecycleStages", [])]


@dataclass(frozen=True)
class Observation:
    """What the scheduler sees when it asks the machine to advance.

    Attributes:
        now: Unix time of the emulated clock.
        target_ready: Every wanted task of the target revision runs and is healthy.
        source_ready: The same of the source revision; true when there is none.
        others_gone: No task is left that the current step does not want.
        weights: (production, test) percentages in effect; None when there is no traffic to shift.
        breaker_tripped: The circuit breaker's threshold was reached.
        alarms: Names of deployment alarms in ALARM.
        problem: Why traffic cannot be managed (invalid networking configuration), or empty.
    """

    now: float
    target_ready: bool = False
    source_ready: bool = True
    others_gone: bool = True
    weights: tuple[float, float] | None = None
    breaker_tripped: bool = False
    alarms: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class State:
    """The position of a deployment in its steps.

    Attributes:
        status: AWS's status.
        steps: The steps being walked: the plan's, or the way back.
        index: The current step.
        entered_at: When the current step was entered.
        effective_at: When it took effect (its wait counts from here); None before.
        hooks: Hook calls of the current step.
        hooks_called: Whether the current step's hooks have been called.
        reason: `statusReason`.
        rollback_reason: `rollback.reason`; empty when there was none.
        triggered_alarms: Alarms that ended it.
    """

    steps: tuple[Step, ...]
    status: Status = Status.PENDING
    index: int = 0
    entered_at: float = 0.0
    effective_at: float | None = None
    hooks: tuple[Hook, ...] = ()
    hooks_called: bool = False
    reason: str = ""
    rollback_reason: str = ""
    rollback_started_at: float | None = None
    triggered_alarms: tuple[str, ...] = ()
    started_at: float | None = None
    stopped_at: float | None = None
    finished_at: float | None = None
    updated_at: float = 0.0

    @property
    def step(self) -> Step:
        return self.steps[self.index]

    @property
    def terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def rolling_back(self) -> bool:
        return self.status in (Status.ROLLBACK_IN_PROGRESS, Status.ROLLBACK_SUCCESSFUL)
