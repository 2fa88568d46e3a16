"""The Application Auto Scaling service of a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.model import Activity, Target
from samjhadoo_emulator.autoscaling.scheduled import Scheduled
from samjhadoo_emulator.snapshots.tables import Rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_emulator.snapshots.tables import Table


class ApplicationAutoScaling(Scheduled):
    """The API for the desired counts of ECS services; other resources are the upstream's."""

    def tables(self) -> Sequence[Table]:
        """Return what a snapshot keeps."""
        return (
            Rows.of("targets", self.targets, Target),
            Rows.of("activities", self.activities, list[Activity]),
        )

    async def resume(self) -> None:
        """Go on with what waits for its time."""
        self.wake()

    def dump(self) -> dict[str, Any]:
        """Return what there is, for people."""
        return {
            resource: {
                "minimum": target.minimum,
                "maximum": target.maximum,
                "suspended": [name for name, on in target.suspended.items() if on],
                "policies": sorted(target.policies),
                "scheduled": {name: action.next_run for name, action in target.scheduled.items()},
            }
            for resource, target in self.targets.items()
        }
