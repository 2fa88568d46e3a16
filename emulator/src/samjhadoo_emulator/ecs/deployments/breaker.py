"""The deployment circuit breaker's counting (AWS: how the deployment circuit breaker detects failures)."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

DEFAULT_PERCENT = 50
BOUNDS = (3, 200)


def threshold(configuration: dict[str, Any], desired_count: int) -> int:
    """Return how many failed tasks open the breaker for the service's present desired count."""
    chosen = configuration.get("thresholdConfiguration", {})
    kind, value = chosen.get("type", "BOUNDED_PERCENT"), chosen.get("value", DEFAULT_PERCENT)
    if kind == "COUNT":
        return max(1, int(value))
    count: int = math.ceil(value / 100 * desired_count)
    return max(1, count) if kind == "UNBOUNDED_PERCENT" else min(max(count, BOUNDS[0]), BOUNDS[1])


@dataclass(frozen=True)
class Count:
    """Failures counted so far: tasks that did not reach RUNNING while none ran, and afterwards tasks
    replaced because of a failed health check.

    By the letter of that, an application that starts and crashes is never counted once one of its tasks has
    been RUNNING, however briefly; AWS does not say so. Read strictly it is not; otherwise, tasks that ended
    before they were healthy count as not having reached RUNNING in both stages.
    """

    failures: int = 0
    any_running: bool = False

    def running(self) -> Count:
        """Return the count after a task reached RUNNING."""
        return replace(self, any_running=True)

    def healthy(self, *, reset: bool) -> Count:
        """Return the count after a task became healthy."""
        return replace(self, failures=0) if reset else self

    def failed(self, *, reached_running: bool, unhealthy: bool, strictly: bool = False) -> Count:
        """Return the count after a task ended on its own or was replaced.

        Args:
            reached_running: Whether it ran, and was healthy.
            unhealthy: Whether it was replaced because of a failed health check.
            strictly: Whether, once a task has run, only failed health checks count.
        """
        later = self.any_running and (reached_running or strictly)
        counts = unhealthy if later else not reached_running or unhealthy
        return replace(self, failures=self.failures + 1) if counts else self
