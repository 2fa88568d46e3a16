"""How an alarm changes its state: recorded, with its actions performed and composites evaluated again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms import rule
from samjhadoo_emulator.cloudwatch.alarms.actions import Actions
from samjhadoo_emulator.cloudwatch.alarms.history import state_of
from samjhadoo_emulator.cloudwatch.alarms.messages import message, subject
from samjhadoo_emulator.cloudwatch.alarms.model import ALARM, CREATED, INSUFFICIENT_DATA, OK, Suppression
from samjhadoo_emulator.cloudwatch.alarms.reasons import stamp

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm

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
        return self.alarms.get(name.partition(":alarm:")[2] if name.startswith("arn:") else name)

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
