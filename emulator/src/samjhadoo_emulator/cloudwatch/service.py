"""The CloudWatch service of a region."""

from __future__ import annotations

from typing import Any

from samjhadoo_emulator.cloudwatch.alarms.operations import AlarmOperations
from samjhadoo_emulator.cloudwatch.dashboards import Dashboards
from samjhadoo_emulator.cloudwatch.metrics import Metrics


class CloudWatch(AlarmOperations, Metrics, Dashboards):
    """The CloudWatch API: metrics, alarms and dashboards."""

    def dump(self) -> dict[str, Any]:
        """Return a summary of the state."""
        return {
            "metrics": len(self.store),
            "alarms": {name: alarm.state for name, alarm in self.alarms.items()},
        }
