"""What each deployment strategy visits, in order (AWS: deployment lifecycle stages)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

MINUTE = 60.0
DEFAULT_CANARY_PERCENT = 5.0
DEFAULT_CANARY_BAKE = 10
DEFAULT_LINEAR_PERCENT = 10.0
DEFAULT_LINEAR_BAKE = 6


class Stage(StrEnum):
    """Lifecycle stages of a service deployment, in AWS's words."""

    RECONCILE_SERVICE = "RECONCILE_SERVICE"
    PRE_SCALE_UP = "PRE_SCALE_UP"
    SCALE_UP = "SCALE_UP"
    POST_SCALE_UP = "POST_SCALE_UP"
    TEST_TRAFFIC_SHIFT = "TEST_TRAFFIC_SHIFT"
    POST_TEST_TRAFFIC_SHIFT = "POST_TEST_TRAFFIC_SHIFT"
    PRE_PRODUCTION_TRAFFIC_SHIFT = "PRE_PRODUCTION_TRAFFIC_SHIFT"
    PRODUCTION_TRAFFIC_SHIFT = "PRODUCTION_TRAFFIC_SHIFT"
    POST_PRODUCTION_TRAFFIC_SHIFT = "POST_PRODUCTION_TRAFFIC_SHIFT"
    BAKE_TIME = "BAKE_TIME"
    CLEAN_UP = "CLEAN_UP"


PAUSE_STAGES = frozenset(Stage) - {
    Stage.SCALE_UP,
    Stage.TEST_TRAFFIC_SHIFT,
    Stage.PRODUCTION_TRAFFIC_SHIFT,
    Stage.BAKE_TIME,
    Stage.CLEAN_UP,
}

SHIFT_STAGES = frozenset({Stage.RECONCILE_SERVICE, Stage.TEST_TRAFFIC_SHIFT, Stage.PRODUCTION_TRAFFIC_SHIFT})
"""Stages in which ECS changes the load balancer's rules."""


@dataclass(frozen=True)
class Step:
    """One visit of a stage.

    Attributes:
        stage: The stage as `lifecycleStage` shows it.
        production: Percentage of production traffic on the target revision that this step sets.
        test: Percentage of test traffic on the target revision.
        wait: Seconds to stay once the step has taken effect.
        target: Whether the target revision runs at full size.
        source: Whether the source revision runs at full size.
        hooks: Whether lifecycle hooks are called.
        healthy: Percentage of the desired count that has to be healthy of the target revision.
    """

    stage: Stage
    production: float = 0.0
    test: float = 0.0
    wait: float = 0.0
    target: bool = True
    source: bool = True
    hooks: bool = True
    healthy: float = 100.0


def traffic_percentages(configuration: dict[str, Any], *, has_source: bool) -> list[tuple[float, float]]:
    """Return (percentage, seconds to wait at it) of each production traffic shift, ending at 100.

    With no source revision there is nothing to share traffic with, so it is shifted at once.
    """
    strategy = configuration.get("strategy", "ROLLING")
    if strategy == "CANARY" and has_source:
        canary = configuration.get("canaryConfiguration", {})
        percent = canary.get("canaryPercent", DEFAULT_CANARY_PERCENT)
        bake = canary.get("canaryBakeTimeInMinutes", DEFAULT_CANARY_BAKE) * MINUTE
        return [(percent, bake), (100.0, 0.0)] if percent < 100 else [(100.0, 0.0)]  # noqa: PLR2004
    if strategy == "LINEAR" and has_source:
        linear = configuration.get("linearConfiguration", {})
        percent = linear.get("stepPercent", DEFAULT_LINEAR_PERCENT)
        bake = linear.get("stepBakeTimeInMinutes", DEFAULT_LINEAR_BAKE) * MINUTE
        count = math.ceil(round(100 / percent, 6))
        shares = [min(100.0, round(percent * step, 1)) for step in range(1, count + 1)]
        return [(share, bake if share < 100 else 0.0) for share in shares]  # noqa: PLR2004
    return [(100.0, 0.0)]


def forward_steps(
    configuration: dict[str, Any],
    *,
    has_source: bool,
    reconcile: bool,
    gate_before_bake: bool = False,
    hooks: bool = True,
) -> tuple[Step, ...]:
    """Return the steps of a deployment.

    Args:
        has_source: Whether a revision serves already.
        reconcile: Whether more than one revision was active at the start.
        gate_before_bake: The undocumented order: visit PRE_PRODUCTION_TRAFFIC_SHIFT before the bake of
            the step in force has elapsed, instead of after it.
        hooks: Whether lifecycle hooks are called (undocumented for a first deployment).
    """
    if configuration.get("strategy", "ROLLING") == "ROLLING":
        return rolling_steps(configuration)
    steps = [Step(Stage.RECONCILE_SERVICE, target=False)] if reconcile else []
    steps += [
        Step(Stage.PRE_SCALE_UP, target=False),
        Step(Stage.SCALE_UP, hooks=False),
        Step(Stage.POST_SCALE_UP),
        Step(Stage.TEST_TRAFFIC_SHIFT, test=100.0),
        Step(Stage.POST_TEST_TRAFFIC_SHIFT, test=100.0),
    ]
    reached, owed = 0.0, 0.0
    for share, bake in traffic_percentages(configuration, has_source=has_source):
        steps.append(Step(Stage.PRE_PRODUCTION_TRAFFIC_SHIFT, production=reached, test=100.0, wait=0.0))
        if gate_before_bake and owed:
            steps.append(
                Step(Stage.PRODUCTION_TRAFFIC_SHIFT, production=reached, test=100.0, wait=owed, hooks=False)
            )
        wait = 0.0 if gate_before_bake else bake
        steps.append(Step(Stage.PRODUCTION_TRAFFIC_SHIFT, production=share, test=100.0, wait=wait))
        reached, owed = share, bake
    bake_time = (configuration.get("bakeTimeInMinutes") or 0) * MINUTE
    steps += [
        Step(Stage.POST_PRODUCTION_TRAFFIC_SHIFT, production=100.0, test=100.0),
        Step(Stage.BAKE_TIME, production=100.0, test=100.0, wait=bake_time, hooks=False),
        Step(Stage.CLEAN_UP, production=100.0, test=100.0, source=False, hooks=False),
    ]
    return tuple(steps if hooks else (replace(step, hooks=False) for step in steps))


def rolling_steps(configuration: dict[str, Any], *, bake: float = 0.0) -> tuple[Step, ...]:
    """Return the steps of a rolling update; its early success criteria define when it is successful.

    Args:
        configuration: `deploymentConfiguration`.
        bake: Seconds for which the alarms are watched once the tasks are there.
    """
    early = configuration.get("earlySuccessCriteria") or {}
    if not early.get("enable"):
        steps = [Step(Stage.SCALE_UP, source=False, hooks=False)]
        waits = [Step(Stage.BAKE_TIME, source=False, wait=bake, hooks=False)]
        return (*steps, *(waits if bake else []), Step(Stage.CLEAN_UP, source=False, hooks=False))
    steps = [
        Step(Stage.SCALE_UP, hooks=False, healthy=float(early["healthyPercent"])),
        Step(Stage.BAKE_TIME, wait=bake, hooks=False),
    ]
    blocking = early.get("sourceServiceRevisionCleanup") == "BLOCKING"
    return (*steps, *([Step(Stage.CLEAN_UP, source=False, hooks=False)] if blocking else []))


def rollback_steps(configuration: dict[str, Any], reached: Step) -> tuple[Step, ...]:
    """Return the steps back from `reached`: production traffic first, then test traffic, then the tasks.

    Lambda hooks of the two shifts are called again, with the weights reversed (there can be no pause).
    From CLEAN_UP, the old tasks are started again first: traffic never goes where there is no capacity.
    """
    if configuration.get("strategy", "ROLLING") == "ROLLING":
        return (
            Step(Stage.SCALE_UP, target=False, hooks=False),
            Step(Stage.CLEAN_UP, target=False, hooks=False),
        )
    steps = []
    if not reached.source:
        steps.append(Step(Stage.SCALE_UP, production=reached.production, test=reached.test, hooks=False))
    if reached.production > 0:
        steps.append(Step(Stage.PRODUCTION_TRAFFIC_SHIFT, test=reached.test))
    if reached.test > 0:
        steps.append(Step(Stage.TEST_TRAFFIC_SHIFT))
    return (*steps, Step(Stage.CLEAN_UP, target=False, hooks=False))
