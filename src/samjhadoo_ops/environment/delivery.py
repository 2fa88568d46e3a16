"""Settings of a deployment: strategy, canary analysis, rollback, and several services together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from samjhadoo_ops.environment.section import Section
from samjhadoo_ops.environment.value_types import (  # noqa: TC001 - msgspec reads the annotations
    AlarmTime,
    Bake,
    Count,
    HookTimeout,
    Percent,
    Share,
    Span,
    Text,
    TrafficPercent,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


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
