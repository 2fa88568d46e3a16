"""What alarms do: they notify SNS topics of a change, and have scaling policies executed.

Source: CloudWatch user guide, "Alarm actions": an alarm acts when its state changes; only scaling policies
are executed again, once in a minute, for as long as the alarm stays in the state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudwatch.alarms.history import History
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudwatch.alarms.model import Alarm

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
