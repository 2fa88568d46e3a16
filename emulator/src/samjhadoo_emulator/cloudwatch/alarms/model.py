"""An alarm: its configuration under AWS's names, and its state."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
CREATED = "Unchecked: Initial alarm creation"
ACTIONS = {OK: "OKActions", ALARM: "AlarmActions", INSUFFICIENT_DATA: "InsufficientDataActions"}
SINGLE = "value"
"""The id of a single-metric alarm's only query."""


@dataclass
class Suppression:
    """Why a composite alarm's actions wait (`Alarm`, `WaitPeriod`, `ExtensionPeriod`), and until when."""

    by: str
    until: float
    old_state: str


@dataclass(eq=False)
class Alarm:
    """An alarm.

    Attributes:
        settings: The members of PutMetricAlarm or PutCompositeAlarm.
        queries: What is evaluated, as metric data queries; none for a composite alarm.
        watched: The id of the query whose series is compared.
        updated_at: When the state was last set.
        transitioned_at: When the state last changed.
        held_until: Unix time of the emulated clock until which a state set by a client stays.
        quiet: Nothing was there to evaluate the last time.
        acted_at: Unix time of the emulated clock when the actions were last performed.
    """

    name: str
    arn: str
    settings: dict[str, Any]
    configured_at: datetime
    updated_at: datetime
    transitioned_at: datetime
    queries: list[dict[str, Any]] = field(default_factory=list)
    watched: str = SINGLE
    state: str = INSUFFICIENT_DATA
    reason: str = CREATED
    reason_data: str = ""
    held_until: float = 0.0
    quiet: bool = False
    acted_at: float = 0.0
    suppression: Suppression | None = None

    @property
    def composite(self) -> bool:
        return "AlarmRule" in self.settings

    @property
    def type(self) -> str:
        return "CompositeAlarm" if self.composite else "MetricAlarm"

    @property
    def period(self) -> int:
        """Seconds of a data point."""
        stats = [query["MetricStat"]["Period"] for query in self.queries if query.get("MetricStat")]
        return int(max(stats, default=60))

    @property
    def actions(self) -> list[str]:
        """The ARNs that are notified of the present state."""
        enabled = self.settings.get("ActionsEnabled", True)
        return list(self.settings.get(ACTIONS[self.state]) or []) if enabled else []

    def describe(self) -> dict[str, Any]:
        """Return botocore's `MetricAlarm` or `CompositeAlarm`."""
        members = {key: value for key, value in self.settings.items() if key != "Tags"}
        view = {
            "ActionsEnabled": True,
            "OKActions": [],
            "AlarmActions": [],
            "InsufficientDataActions": [],
            **members,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured_at,
            "StateValue": self.state,
            "StateReason": self.reason,
            "StateUpdatedTimestamp": self.updated_at,
            "StateTransitionedTimestamp": self.transitioned_at,
        }
        if not self.composite and not self.settings.get("Metrics"):
            view.setdefault("Dimensions", [])
        if self.reason_data:
            view["StateReasonData"] = self.reason_data
        if self.suppression:
            view["ActionsSuppressedBy"] = self.suppression.by
            view["ActionsSuppressedReason"] = f"Actions suppressed by {self.suppression.by}"
        return view
