"""In which phase a service deployment is: a pure function of what ECS shows.

The phase comes from the status, the traffic weights and the open hooks. Stage names only refine it,
because ECS's documentation leaves open whether the canary bakes before or after the second gate and
because the list of stages is not closed (`PRE_PRODUCTION_TRAFFIC_SHIFT` is documented but missing from
the API's model).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.observation import Observation

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
        """Tell whether nothing more will happen."""
        return self in _ENDED

    @property
    def exit_code(self) -> ExitCode | None:
        """Return what a deploy that ends in this phase exits with; None while it goes on."""
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
    """Return the values of ECS that `phase_of` has no word for; a newer API may have more."""
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
