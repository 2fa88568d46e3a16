"""What happens to a service's tasks that its deployment's circuit breaker counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_emulator.ecs.deployments.breaker import Count
    from samjhadoo_emulator.ecs.model import Revision


@dataclass(frozen=True)
class Change:
    """Something that counts for the circuit breaker."""

    revision: Revision
    kind: str
    reached_running: bool = False
    unhealthy: bool = False

    def count(self, count: Count, *, resets: bool, strictly: bool) -> Count:
        """Return the breaker's count after this change; see `breaker.Count`."""
        if self.kind == "running":
            return count.running()
        if self.kind == "healthy":
            return count.healthy(reset=resets)
        return count.failed(reached_running=self.reached_running, unhealthy=self.unhealthy, strictly=strictly)
