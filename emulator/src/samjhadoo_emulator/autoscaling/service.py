"""The Application Auto Scaling service of a region."""

from __future__ import annotations

from typing import Any

from samjhadoo_emulator.autoscaling.scheduled import Scheduled


class ApplicationAutoScaling(Scheduled):
    """The API for the desired counts of ECS services; other resources are the upstream's."""

    def dump(self) -> dict[str, Any]:
        """Return a summary of the state."""
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
