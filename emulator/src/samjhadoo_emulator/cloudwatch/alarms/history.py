"""What happened to alarms, item by item."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms.reasons import stamp
from samjhadoo_emulator.cloudwatch.base import CloudWatchBase
from samjhadoo_emulator.pagination import CLOUDWATCH
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from datetime import datetime

    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm
    from samjhadoo_emulator.service import Params, Result


class History(CloudWatchBase):
    """The history of alarms, which outlives them."""

    @operation("DescribeAlarmHistory")
    async def describe_alarm_history(self, params: Params) -> Result:
        name = params.get("AlarmName")
        kept = [self.history[name]] if name in self.history else []
        if name is None:
            kept = list(self.history.values())
        items = [item for each in kept for item in each if _wanted(item, params)]
        newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        items.sort(key=lambda item: item["Timestamp"], reverse=newest_first)
        return CLOUDWATCH.answer("AlarmHistoryItems", items, params)

    def record(self, alarm: Alarm, kind: str, summary: str, data: dict[str, Any]) -> None:
        """Add an item to an alarm's history."""
        self.history[alarm.name].append(
            {
                "AlarmName": alarm.name,
                "AlarmType": alarm.type,
                "Timestamp": self.clock.now(),
                "HistoryItemType": kind,
                "HistorySummary": summary,
                "HistoryData": json.dumps({"version": "1.0", **data}, default=stamp, separators=(",", ":")),
            }
        )

    def record_configuration(self, alarm: Alarm, change: str) -> None:
        """Add the creation (`Create`), update or deletion of an alarm."""
        verb = {"Create": "created", "Update": "updated", "Delete": "deleted"}[change]
        configuration = {key[0].lower() + key[1:]: value for key, value in alarm.describe().items()}
        self.record(
            alarm,
            "ConfigurationUpdate",
            f'Alarm "{alarm.name}" {verb}',
            {"type": change, f"{verb}Alarm": configuration},
        )

    def record_state(self, alarm: Alarm, old: dict[str, Any]) -> None:
        """Add a change of state; `old` is what `state_of` gave before."""
        self.record(
            alarm,
            "StateUpdate",
            f"Alarm updated from {old['stateValue']} to {alarm.state}",
            {"oldState": old, "newState": state_of(alarm)},
        )


def state_of(alarm: Alarm) -> dict[str, Any]:
    """Return an alarm's state as history writes it."""
    state: dict[str, Any] = {"stateValue": alarm.state, "stateReason": alarm.reason}
    if alarm.reason_data:
        try:
            state["stateReasonData"] = json.loads(alarm.reason_data)
        except ValueError:
            state["stateReasonData"] = alarm.reason_data
    return state


def _wanted(item: dict[str, Any], params: Params) -> bool:
    since, until = params.get("StartDate"), params.get("EndDate")
    at = item["Timestamp"]
    return (
        item["HistoryItemType"] == params.get("HistoryItemType", item["HistoryItemType"])
        and item["AlarmType"] in (params.get("AlarmTypes") or [item["AlarmType"]])
        and (since is None or at >= _aware(since, at))
        and (until is None or at <= _aware(until, at))
    )


def _aware(given: datetime, like: datetime) -> datetime:
    return given if given.tzinfo else given.replace(tzinfo=like.tzinfo)
