"""The CloudWatch service of a region."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms.model import Alarm
from samjhadoo_emulator.cloudwatch.alarms.operations import AlarmOperations
from samjhadoo_emulator.cloudwatch.base import HISTORY_KEPT
from samjhadoo_emulator.cloudwatch.kept import Points
from samjhadoo_emulator.cloudwatch.metrics import Metrics
from samjhadoo_emulator.snapshots.tables import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.snapshots.tables import Table


class CloudWatch(AlarmOperations, Metrics):
    """The CloudWatch API: metrics and alarms; dashboards and the rest go upstream."""

    def tables(self) -> Sequence[Table]:
        """Return what a snapshot keeps; notifications that were on their way are lost."""

        def remember(name: str, items: list[dict[str, Any]]) -> None:
            self.history[name] = deque(items, maxlen=HISTORY_KEPT)

        return (
            Points(self.store),
            Rows.of("alarms", self.alarms, Alarm),
            Rows(
                "history",
                lambda: list(self.history.items()),
                remember,
                kind=list[dict[str, Any]],
                stamp=lambda items: (len(items), items[-1] if items else None),
            ),
            Rows.of("tags", self.tags, dict[str, str]),
        )

    async def resume(self) -> None:
        """Go on evaluating the alarms."""
        self.drive()

    def dump(self) -> dict[str, Any]:
        """Return what there is, for people."""
        return {
            "metrics": len(self.store),
            "alarms": {name: alarm.state for name, alarm in self.alarms.items()},
        }
