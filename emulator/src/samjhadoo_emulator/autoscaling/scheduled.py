"""Scheduled actions: put, describe, delete, and run when it is time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.activities import FAILED, SUCCESSFUL
from samjhadoo_emulator.autoscaling.base import filtered
from samjhadoo_emulator.autoscaling.model import SCHEDULED_SUSPENDED, ScheduledAction
from samjhadoo_emulator.autoscaling.refusals import exceeded, no_scheduled_action
from samjhadoo_emulator.autoscaling.scaling import Scaling
from samjhadoo_emulator.autoscaling.schedules import Schedule, ScheduleError
from samjhadoo_emulator.autoscaling.targets import check_range
from samjhadoo_emulator.errors import AwsError, validation_exception
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import ScalableTarget
    from samjhadoo_emulator.service import AwsApi, Host, Params, Result

log = logging.getLogger(__name__)

MOST_ACTIONS = 200
POLL = 10.0
"""Emulated seconds between two polls of ECS while it works on a change."""
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 3600.0
"""Real seconds."""
_SETTINGS = ("Schedule", "Timezone", "StartTime", "EndTime", "ScalableTargetAction")


class Scheduled(Scaling):
    """The scheduled actions of each target, and the loop that runs what is due."""

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self._woken = asyncio.Event()
        self._driving: asyncio.Task[None] | None = None

    @operation("PutScheduledAction")
    async def put_scheduled_action(self, params: Params) -> Result:
        target, name = self.target(params), params["ScheduledActionName"]
        known = target.scheduled.get(name)
        settings = {
            **(known.settings if known else {}),
            **{member: _aware(params[member]) for member in _SETTINGS if member in params},
        }
        if not settings.get("Schedule"):
            raise validation_exception("Schedule must be specified")
        wanted = settings.get("ScalableTargetAction") or {}
        if "MinCapacity" not in wanted and "MaxCapacity" not in wanted:
            raise validation_exception("MinCapacity or MaxCapacity of ScalableTargetAction must be specified")
        check_range(wanted.get("MinCapacity", 0), wanted.get("MaxCapacity", wanted.get("MinCapacity", 0)))
        if known is None and len(target.scheduled) >= MOST_ACTIONS:
            raise exceeded(f"A scalable target can have at most {MOST_ACTIONS} scheduled actions.")
        arn = self.arn_of(
            "scheduledAction", str(uuid.uuid4()), target.resource, f"scheduledActionName/{name}"
        )
        created_at = known.created_at if known else self.clock.now()
        action = ScheduledAction(name, known.arn if known else arn, settings, created_at)
        action.next_run = self._next_run(action)
        target.scheduled[name] = action
        self.wake()
        return {}

    @operation("DescribeScheduledActions")
    async def describe_scheduled_actions(self, params: Params) -> Result:
        resource, names = filtered(params), params.get("ScheduledActionNames") or []
        found = [
            _view(target, action)
            for each, target in sorted(self.targets.items())
            if not resource or each == resource
            for _, action in sorted(target.scheduled.items())
            if not names or action.name in names
        ]
        return AUTOSCALING.answer("ScheduledActions", found, params)

    @operation("DeleteScheduledAction")
    async def delete_scheduled_action(self, params: Params) -> Result:
        target, name = self.target(params), params["ScheduledActionName"]
        if target.scheduled.pop(name, None) is None:
            raise no_scheduled_action(target.resource, name)
        return {}

    def wake(self) -> None:
        """Check what waits for its time, now and as long as anything does."""
        self._woken.set()
        if self._driving is None or self._driving.done():
            self._driving = self.spawn(self._drive(), name=f"autoscaling-{self.region}")

    def clock_jumped(self) -> None:
        self._woken.set()

    async def _drive(self) -> None:
        while (pause := self._pause()) is not None:
            self._woken.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(SHORTEST_PAUSE, pause)):
                    await self._woken.wait()
            try:
                await self._run_due()
                await self.catch_up()
            except Exception:
                log.exception("the scaling of %s was not checked", self.region)

    def _pause(self) -> float | None:
        """Return the real seconds until something is due; None when nothing is."""
        due = [
            action.next_run
            for target in self.targets.values()
            for action in target.scheduled.values()
            if action.next_run is not None
        ]
        pauses = [self.clock.real(min(due) - self.clock.timestamp())] if due else []
        if self.unfinished:
            pauses.append(self.clock.real(POLL))
        return min(*pauses, LONGEST_PAUSE) if pauses else None

    async def _run_due(self) -> None:
        now = self.clock.timestamp()
        for target in list(self.targets.values()):
            for action in list(target.scheduled.values()):
                if action.next_run is not None and action.next_run <= now:
                    action.next_run = self._next_run(action)
                    if not target.suspended[SCHEDULED_SUSPENDED]:
                        async with self.turns[target.resource]:
                            await self._run(target, action)

    async def _run(self, target: ScalableTarget, action: ScheduledAction) -> None:
        """Set a target's minimum and maximum, and bring its desired count between them."""
        wanted = action.settings["ScalableTargetAction"]
        text = " and ".join(
            f"{name} capacity to {wanted[member]}"
            for member, name in (("MinCapacity", "min"), ("MaxCapacity", "max"))
            if member in wanted
        )
        activity = self.begun(
            target.resource, f"Setting {text}", f"scheduled action name {action.name} was triggered"
        )
        minimum = wanted.get("MinCapacity", target.minimum)
        maximum = wanted.get("MaxCapacity", target.maximum)
        try:
            check_range(minimum, maximum)
        except AwsError as error:
            self.ended(activity, FAILED, f"Failed to set {text}. Reason: {error.message}")
            return
        target.minimum, target.maximum = minimum, maximum
        self.ended(activity, SUCCESSFUL, f"Successfully set {text}")
        await self.come_into_range(target)

    def _next_run(self, action: ScheduledAction) -> float | None:
        """Return when an action runs next.

        Raises:
            AwsError: Its schedule is not valid.

        """
        settings = action.settings
        schedule = Schedule(
            settings["Schedule"],
            settings.get("Timezone") or "UTC",
            since=action.created_at.timestamp(),
            start=_unix(settings.get("StartTime")),
            end=_unix(settings.get("EndTime")),
        )
        try:
            return schedule.next_after(self.clock.timestamp())
        except ScheduleError as error:
            raise validation_exception(
                f"Invalid schedule expression {settings['Schedule']}: {error}"
            ) from error


def _aware(value: Any) -> Any:
    """Return a time without a zone as UTC; anything else unchanged."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _unix(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _view(target: ScalableTarget, action: ScheduledAction) -> dict[str, Any]:
    """Return botocore's `ScheduledAction`."""
    return {
        "ScheduledActionName": action.name,
        "ScheduledActionARN": action.arn,
        **target.key(),
        **action.settings,
        "CreationTime": action.created_at,
    }
