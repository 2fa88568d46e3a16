"""How an alarm changes its state: recorded, with its actions performed and composites evaluated again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms import rule
from samjhadoo_emulator.cloudwatch.alarms.messages import message, subject
from samjhadoo_emulator.cloudwatch.alarms.model import ALARM, CREATED, INSUFFICIENT_DATA, OK, Suppression
from samjhadoo_emulator.cloudwatch.alarms.reasons import stamp
from samjhadoo_emulator.cloudwatch.base import CloudWatchBase
from samjhadoo_emulator.errors import AwsError
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


AGAIN = 60.0
"""Emulated seconds between two executions of a scaling policy by an alarm that stays in its state."""


class Actions(History):
    """The actions of alarms, performed in the background."""

    def act(self, alarm: Alarm, title: str, text: str) -> None:
        """Perform the actions of an alarm's present state and record the results in its history."""
        now = alarm.acted_at = self.clock.timestamp()
        self.spawn(self._act(alarm, alarm.actions, title, text, now), name=f"alarm {alarm.name}")

    def act_again(self, alarm: Alarm, now: float) -> None:
        """Have an alarm's scaling policies executed again when it has stayed in its state for a minute."""
        if now - alarm.acted_at < AGAIN:
            return
        policies = [action for action in alarm.actions if _scales(action)]
        if policies:
            alarm.acted_at = now
            self.spawn(self._scale_again(alarm, policies, now), name=f"alarm {alarm.name} again")

    async def _act(self, alarm: Alarm, actions: list[str], title: str, text: str, now: float) -> None:
        changed_at = int(alarm.transitioned_at.timestamp() * 1000)
        for action in actions:
            data: dict[str, Any] = {"stateUpdateTimestamp": changed_at, "notificationResource": action}
            try:
                if _scales(action):
                    await self._scale(alarm, action, now)
                elif action.split(":")[2:3] == ["sns"]:
                    await self.aws.call("sns", "Publish", TopicArn=action, Subject=title, Message=text)
                else:
                    raise AwsError("InvalidAction", "this emulator acts on SNS and scaling policies only")  # noqa: TRY301
            except AwsError as error:
                data |= {"actionState": "Failed", "error": error.message}
                summary = f"Failed to execute action {action}. Received error: {error.message}"
            else:
                data |= {"actionState": "Succeeded", "publishedMessage": text, "error": None}
                summary = f"Successfully executed action {action}"
            self.record(alarm, "Action", summary, data)

    async def _scale_again(self, alarm: Alarm, policies: list[str], now: float) -> None:
        for policy in policies:
            try:
                await self._scale(alarm, policy, now)
            except AwsError as error:
                failed = f"Failed to execute action {policy}. Received error: {error.message}"
                self.record(alarm, "Action", failed, {"actionState": "Failed", "error": error.message})

    async def _scale(self, alarm: Alarm, policy: str, now: float) -> None:
        """Execute a scaling policy; the operation is one between services, no client can call it."""
        await self.aws.call(
            "application-autoscaling", "ExecutePolicy", PolicyARN=policy, AlarmName=alarm.name, At=now
        )


def _scales(action: str) -> bool:
    """Return whether an action is a scaling policy of an ECS service; others are only recorded."""
    return (
        action.split(":")[2:3] == ["autoscaling"] and ":scalingPolicy:" in action and ":resource/" in action
    )


DEEPEST = 20
"""Composites above composites whose change is followed at once; a circle ends there."""


class States(Actions):
    """Changes of state, in one place for evaluation, composites and SetAlarmState."""

    def change(self, alarm: Alarm, state: str, reason: str, reason_data: str = "", *, depth: int = 0) -> None:
        """Put an alarm into a state; nothing happens when it is already there."""
        if state == alarm.state:
            return
        old, old_state = state_of(alarm), alarm.state
        now = self.clock.now()
        alarm.state, alarm.reason, alarm.reason_data = state, reason, reason_data
        alarm.updated_at = alarm.transitioned_at = now
        self.record_state(alarm, old)
        self._notify(alarm, old_state)
        if depth < DEEPEST:
            for parent in list(self.alarms.values()):
                if parent.composite and alarm in self.children(parent):
                    self.judge(parent, depth=depth + 1)

    def children(self, parent: Alarm) -> list[Alarm]:
        """Return the alarms that a composite's rule names, as far as they are there."""
        return [
            child
            for name in rule.children(rule.parse(parent.settings["AlarmRule"]))
            if (child := self.named(name)) is not None
        ]

    def named(self, name: str) -> Alarm | None:
        """Return an alarm by name or ARN."""
        own = self.home().resource(name)
        return self.alarms.get(own.removeprefix("alarm:") if own.startswith("alarm:") else name)

    def judge(self, composite: Alarm, *, depth: int = 0) -> None:
        """Evaluate a composite alarm's rule."""

        def state(name: str) -> str:
            child = self.named(name)
            return child.state if child else INSUFFICIENT_DATA

        truth = rule.holds(rule.parse(composite.settings["AlarmRule"]), state)
        wanted = ALARM if truth else OK
        if wanted == composite.state:
            return
        children = self.children(composite)
        newest = max(children, key=lambda child: child.updated_at, default=None)
        if composite.reason == CREATED or newest is None:
            reason = f"{composite.arn} was created and its alarm rule evaluates to {wanted}"
        else:
            when = newest.updated_at.strftime("%A %d %B, %Y %H:%M:%S UTC")
            reason = f"{newest.arn} transitioned to {newest.state} at {when}"
        data = {"triggeringAlarms": [_child(each, str.lower) for each in _triggering(children, newest)]}
        self.change(composite, wanted, reason, json.dumps(data, separators=(",", ":")), depth=depth)

    def suppressions(self) -> None:
        """Perform the actions of composites whose suppression has ended."""
        now = self.clock.timestamp()
        for alarm in self.alarms.values():
            held = alarm.suppression
            if held is None:
                continue
            if self._suppressor_fires(alarm):
                held.by = "Alarm"
            elif held.by == "Alarm":
                extension = alarm.settings.get("ActionsSuppressorExtensionPeriod", 0)
                held.by, held.until = "ExtensionPeriod", now + extension
            elif now >= held.until:
                alarm.suppression = None
                if alarm.state != held.old_state:
                    self._perform(alarm, held.old_state)

    def _notify(self, alarm: Alarm, old_state: str) -> None:
        if not alarm.settings.get("ActionsSuppressor"):
            self._perform(alarm, old_state)
        elif alarm.suppression is None:
            wait = alarm.settings.get("ActionsSuppressorWaitPeriod", 0)
            by = "Alarm" if self._suppressor_fires(alarm) else "WaitPeriod"
            alarm.suppression = Suppression(by, self.clock.timestamp() + wait, old_state)

    def _suppressor_fires(self, alarm: Alarm) -> bool:
        suppressor = self.named(alarm.settings.get("ActionsSuppressor", ""))
        return suppressor is not None and suppressor.state == ALARM

    def _perform(self, alarm: Alarm, old_state: str) -> None:
        if not alarm.actions:
            return
        children = self.children(alarm) if alarm.composite else []
        text = message(
            alarm,
            old_state=old_state,
            account=self.account,
            region=self.region,
            children=[_child(each, str.title) for each in children if each.state == alarm.state],
        )
        # Rendered now: by the time an action is performed the alarm may have changed again.
        self.act(alarm, subject(alarm, self.region), text)


def _triggering(children: list[Alarm], newest: Alarm | None) -> list[Alarm]:
    return [child for child in children if newest is not None and child.state == newest.state]


def _child(alarm: Alarm, case: Any) -> dict[str, Any]:
    """Return a child alarm in a message (title case) or in state data (lower case)."""
    at = stamp(alarm.updated_at)
    return {case("arn"): alarm.arn, case("state"): {case("value"): alarm.state, case("timestamp"): at}}
