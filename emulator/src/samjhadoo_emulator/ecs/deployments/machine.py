"""The state machine of a service deployment: pure transitions of a frozen state.

`advance` makes at most one transition from what was observed; clients' calls are transitions of their own
(`request_rollback`, `answer_hook`, `supersede`). Statuses and their arrows are AWS's (service-deployment).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from samjhadoo_emulator.ecs.deployments.state import (
    TERMINAL,
    Hook,
    HookStatus,
    Observation,
    Plan,
    State,
    Status,
)
from samjhadoo_emulator.ecs.deployments.steps import Stage, Step, rollback_steps

__all__ = [
    "BREAKER_TRIPPED",
    "TERMINAL",
    "Hook",
    "HookStatus",
    "Observation",
    "Plan",
    "State",
    "Status",
    "advance",
    "answer_hook",
    "deadline",
    "report_hook",
    "request_rollback",
    "supersede",
]

STAGE_LIMIT = 24 * 3600.0
"""Each lifecycle stage can last up to 24 hours [AWS: canary deployments]."""
DEPLOYMENT_LIMIT = 30 * 24 * 3600.0
"""A deployment with stages can last up to 30 days [AWS: pause lifecycle hooks]; a rolling update has no
limit."""
NO_CANDIDATE = "No rollback candidate was found to run the rollback."
BREAKER_TRIPPED = "the circuit breaker threshold was exceeded."


def advance(plan: Plan, state: State, seen: Observation) -> State:
    """Return the state after at most one transition; the same object when there is none to make."""
    match state.status:
        case Status.PENDING:
            return _moved(
                state, seen.now, status=Status.IN_PROGRESS, started_at=seen.now, entered_at=seen.now
            )
        case Status.STOP_REQUESTED:
            return _finished(state, Status.STOPPED, seen.now)
        case Status.ROLLBACK_REQUESTED:
            return _roll_back(plan, state, seen.now, state.rollback_reason)
        case Status.IN_PROGRESS:
            return _failed(plan, state, seen) or _walk(plan, state, seen, done=Status.SUCCESSFUL)
        case Status.ROLLBACK_IN_PROGRESS:
            if not plan.has_candidate:
                return _finished(replace(state, reason=NO_CANDIDATE), Status.ROLLBACK_FAILED, seen.now)
            blocked = _way_back_blocked(plan, state, seen)
            return blocked or _walk(plan, state, seen, done=Status.ROLLBACK_SUCCESSFUL)
    return state


def deadline(plan: Plan, state: State) -> float | None:
    """Return when the machine has to advance again although nothing happens; None when it need not."""
    if state.terminal:
        return None
    times = [hook.expires_at for hook in state.hooks if hook.open]
    if state.effective_at is not None:
        times.append(state.effective_at + state.step.wait)
    walking = state.status in (Status.IN_PROGRESS, Status.ROLLBACK_IN_PROGRESS) and not plan.rolling
    if walking and not state.hooks:
        times.append(state.entered_at + STAGE_LIMIT + state.step.wait)
    if state.status is Status.IN_PROGRESS and not plan.rolling:
        times.append((state.started_at or 0.0) + DEPLOYMENT_LIMIT)
    return min(times, default=None)


def request_rollback(state: State, now: float) -> State:
    """Return the state after `StopServiceDeployment(ROLLBACK)`; idempotent while ongoing."""
    if state.status not in (Status.PENDING, Status.IN_PROGRESS):
        return state
    reason = "of a request to stop the service deployment."
    return _moved(state, now, status=Status.ROLLBACK_REQUESTED, rollback_reason=reason, stopped_at=now)


def supersede(state: State, now: float) -> State:
    """Return the state after a newer deployment of the service was started."""
    if state.terminal:
        return state
    reason = "Service deployment stopped because a new service deployment was started."
    return _moved(state, now, status=Status.STOP_REQUESTED, reason=reason, stopped_at=now, hooks=())


def answer_hook(state: State, hook_id: str, *, succeeded: bool, now: float) -> State | None:
    """Return the state after a client answered a hook; None when no such hook awaits an answer."""
    if state.status is not Status.IN_PROGRESS:
        return None
    if not any(hook.id == hook_id and hook.status is HookStatus.AWAITING_ACTION for hook in state.hooks):
        return None
    return _answered(state, hook_id, HookStatus.SUCCEEDED if succeeded else HookStatus.FAILED, "", now)


def report_hook(state: State, hook_id: str, *, failure: str, now: float) -> State:
    """Return the state after a Lambda hook ended; the same object when it is no longer waited for.

    Args:
        failure: Why it failed, in AWS's words; empty when it succeeded.
        now: Unix time of the emulated clock.
    """
    if not any(hook.id == hook_id and hook.status is HookStatus.IN_PROGRESS for hook in state.hooks):
        return state
    return _answered(state, hook_id, HookStatus.FAILED if failure else HookStatus.SUCCEEDED, failure, now)


def _answered(state: State, hook_id: str, status: HookStatus, reason: str, now: float) -> State:
    hooks = tuple(
        replace(hook, status=status, reason=reason) if hook.id == hook_id else hook for hook in state.hooks
    )
    return _moved(state, now, hooks=hooks)


def _failed(plan: Plan, state: State, seen: Observation) -> State | None:
    """Return the state after a failure, or None when nothing failed."""
    if seen.problem:
        return _roll_back(plan, state, seen.now, seen.problem)
    if seen.breaker_tripped:
        return _end_badly(plan, state, seen.now, BREAKER_TRIPPED, roll_back=plan.rolls_back_breaker)
    if seen.alarms:
        reason = f"alarm(s) detected: {', '.join(seen.alarms)}."
        state = replace(state, triggered_alarms=seen.alarms)
        return _end_badly(plan, state, seen.now, reason, roll_back=plan.rolls_back_alarms)
    for hook in state.hooks:
        if hook.failure:
            return _roll_back(plan, state, seen.now, hook.failure)
        if hook.open and seen.now >= hook.expires_at:
            return _expire(state, hook, seen.now)
    timed_out = _timed_out(plan, state, seen.now)
    return _roll_back(plan, state, seen.now, timed_out) if timed_out else None


def _timed_out(plan: Plan, state: State, now: float) -> str:
    """Return what has taken too long; AWS limits only deployments that have lifecycle stages."""
    if plan.rolling:
        return ""
    if state.started_at is not None and now >= state.started_at + DEPLOYMENT_LIMIT:
        return "the service deployment timed out."
    return f"{state.step.stage} timed out." if _stage_timed_out(plan, state, now) else ""


def _stage_timed_out(plan: Plan, state: State, now: float) -> bool:
    late = now >= state.entered_at + STAGE_LIMIT + state.step.wait
    return late and not state.hooks and not plan.rolling


def _way_back_blocked(plan: Plan, state: State, seen: Observation) -> State | None:
    """Return the state after a hook failed or a stage took too long during a rollback, or None.

    AWS documents that hooks are called again on the way back, and how long a stage may last, not what a
    failure does there: we take it that the rollback has failed. Where hooks are called, the weights have been
    shifted by then.
    """
    if _stage_timed_out(plan, state, seen.now):
        reason = f"{state.reason} {state.step.stage} timed out."
        return _finished(replace(state, reason=reason), Status.ROLLBACK_FAILED, seen.now)
    for hook in state.hooks:
        if hook.failure:
            return _finished(
                replace(state, reason=f"{state.reason} {hook.failure}"), Status.ROLLBACK_FAILED, seen.now
            )
        if hook.open and seen.now >= hook.expires_at:
            return _expire(state, hook, seen.now)
    return None


def _expire(state: State, hook: Hook, now: float) -> State:
    status = HookStatus.SUCCEEDED if hook.timeout_action == "CONTINUE" else HookStatus.TIMED_OUT
    hooks = tuple(
        replace(each, status=status, expired=True) if each is hook else each for each in state.hooks
    )
    return _moved(state, now, hooks=hooks)


def _walk(plan: Plan, state: State, seen: Observation, *, done: Status) -> State:
    step = state.step
    if seen.weights is not None and seen.weights != (step.production, step.test):
        return state
    if step.stage is Stage.SCALE_UP and not _scaled(state, seen):
        return state
    if step.stage in (Stage.CLEAN_UP, Stage.RECONCILE_SERVICE) and not seen.others_gone:
        return state
    if step.hooks and not state.hooks_called:
        return _moved(state, seen.now, hooks_called=True, hooks=_called(plan, step.stage, seen.now))
    if any(hook.status is not HookStatus.SUCCEEDED for hook in state.hooks):
        return state
    if state.effective_at is None:
        return _moved(state, seen.now, effective_at=seen.now)
    if seen.now < state.effective_at + step.wait:
        return state
    if state.index + 1 == len(state.steps):
        return _finished(state, done, seen.now)
    return _enter(state, state.steps, state.index + 1, seen.now)


def _scaled(state: State, seen: Observation) -> bool:
    """Return whether the arriving revision is at full size and, in a rolling update, the others are gone.

    The revision that is left need not be healthy: a repair can be deployed, a failure rolled back.
    """
    step = state.step
    ready = seen.source_ready if state.rolling_back else seen.target_ready
    return ready and (seen.others_gone or (step.target and step.source))


def _called(plan: Plan, stage: Stage, now: float) -> tuple[Hook, ...]:
    calls = []
    for hook in plan.hooks_of(stage):
        target_type = hook.get("targetType", "AWS_LAMBDA")
        timeout = hook.get("timeoutConfiguration", {})
        pause = target_type == "PAUSE"
        calls.append(
            Hook(
                id=plan.new_hook_id(target_type),
                target_type=target_type,
                stage=stage,
                status=HookStatus.AWAITING_ACTION if pause else HookStatus.IN_PROGRESS,
                expires_at=now + timeout.get("timeoutInMinutes", 1440) * 60.0,
                timeout_action=timeout.get("action", "ROLLBACK"),
                target_arn=hook.get("hookTargetArn", ""),
                details=hook.get("hookDetails"),
            )
        )
    return tuple(calls)


def _end_badly(plan: Plan, state: State, now: float, why: str, *, roll_back: bool) -> State:
    if roll_back:
        return _roll_back(plan, state, now, why)
    reason = f"Service deployment failed because {why}"
    return _moved(state, now, status=Status.STOP_REQUESTED, reason=reason, stopped_at=now, hooks=())


def _roll_back(plan: Plan, state: State, now: float, why: str) -> State:
    reason = f"Service deployment rolled back because {why}"
    back = state
    if plan.has_candidate:
        back = _enter(state, rollback_steps(plan.configuration, state.step), 0, now)
    return replace(
        back,
        hooks=(),
        updated_at=now,
        status=Status.ROLLBACK_IN_PROGRESS,
        reason=reason,
        rollback_reason=reason,
        rollback_started_at=now,
    )


def _enter(state: State, steps: tuple[Step, ...], index: int, now: float) -> State:
    return _moved(
        state, now, steps=steps, index=index, entered_at=now, effective_at=None, hooks=(), hooks_called=False
    )


def _finished(state: State, status: Status, now: float) -> State:
    return _moved(state, now, status=status, finished_at=now, hooks=())


def _moved(state: State, now: float, **changes: Any) -> State:
    return replace(state, updated_at=now, **changes)
