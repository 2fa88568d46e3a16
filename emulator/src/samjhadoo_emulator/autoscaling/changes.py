"""Changes of the desired count: requested from ECS, and watched until ECS has finished it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_emulator.autoscaling.activities import (
    FAILED,
    IN_PROGRESS,
    OVERRIDDEN,
    SUCCESSFUL,
    Activities,
)
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import Activity, ScalableTarget


class Changes(Activities):
    """Sets desired counts, without deployments."""

    async def change(self, target: ScalableTarget, capacity: int, cause: str) -> bool:
        """Set the desired count and return whether ECS accepted it."""
        activity = self.begun(target.resource, f"Setting desired count to {capacity}.", cause)
        try:
            await self.aws.call(
                "ecs",
                "UpdateService",
                cluster=target.cluster,
                service=target.service,
                desiredCount=capacity,
            )
        except AwsError as error:
            why = f"Failed to set desired count to {capacity}. Reason: {error.message} ({error.code})"
            self.ended(activity, FAILED, why)
            return False
        activity.wanted = capacity
        activity.message = (
            f"Successfully set desired count to {capacity}. Waiting for change to be fulfilled by ecs."
        )
        self.wake()
        return True

    async def come_into_range(self, target: ScalableTarget) -> None:
        """Bring the desired count between minimum and maximum.

        ECS is not scaled in while it deploys: what that holds back is done once the deployment has ended.
        """
        try:
            current: int = (await self.ecs_service(target))["desiredCount"]
        except AwsError:
            target.waiting = False
            return
        capacity = target.bounded(current)
        if capacity < current and await self.deploying(target):
            if not target.waiting:
                target.waiting = True
                self.wake()
            return
        target.waiting = False
        if capacity != current:
            bound = "minimum" if capacity > current else "maximum"
            await self.change(target, capacity, f"{bound} capacity was set to {capacity}")

    async def catch_up(self) -> None:
        """Make the changes that a deployment held back, and end the activities that ECS has finished."""
        for target in list(self.targets.values()):
            if target.waiting:
                async with self.turns[target.resource]:
                    await self.come_into_range(target)
            for activity in list(self.activities.get(target.resource, [])):
                if activity.status == IN_PROGRESS and activity.wanted is not None:
                    await self._fulfilled(target, activity, activity.wanted)

    @property
    def unfinished(self) -> bool:
        """Whether there are changes or activities to finish."""
        return any(
            target.waiting
            or any(
                activity.status == IN_PROGRESS and activity.wanted is not None
                for activity in self.activities.get(target.resource, [])
            )
            for target in self.targets.values()
        )

    async def _fulfilled(self, target: ScalableTarget, activity: Activity, wanted: int) -> None:
        try:
            service = await self.ecs_service(target)
            deploying = await self.deploying(target)
        except AwsError as error:
            self.ended(activity, FAILED, error.message)
            return
        if activity.status != IN_PROGRESS:
            return
        running = service["runningCount"]
        if service["desiredCount"] != wanted:
            self.ended(activity, OVERRIDDEN, f"The desired count was set to {service['desiredCount']}.")
        elif running == wanted or (running > wanted and deploying):
            # During a deployment the tasks of both revisions are running.
            done = f"Successfully set desired count to {wanted}. Change successfully fulfilled by ecs."
            self.ended(activity, SUCCESSFUL, done)
