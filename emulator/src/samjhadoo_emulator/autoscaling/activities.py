"""Scaling activities: what was changed and why, and what was not.

Source: Application Auto Scaling user guide, "Scaling activities for Application Auto Scaling", for the texts.
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.base import AutoScalingBase, filtered
from samjhadoo_emulator.autoscaling.model import DIMENSION, NAMESPACE, Activity
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.service import Params, Result

KEPT = 500
"""Activities of one resource; AWS keeps them for six weeks."""
IN_PROGRESS, SUCCESSFUL, FAILED, OVERRIDDEN = "InProgress", "Successful", "Failed", "Overridden"


class Activities(AutoScalingBase):
    """The activities of each resource."""

    @operation("DescribeScalingActivities")
    async def describe_scaling_activities(self, params: Params) -> Result:
        if params["ServiceNamespace"] != NAMESPACE:
            return {"ScalingActivities": []}  # the upstream scales nothing
        resource = filtered(params)
        everything = bool(params.get("IncludeNotScaledActivities"))
        found = [
            activity
            for each, activities in self.activities.items()
            if not resource or each == resource
            for activity in activities
            if everything or not activity.reasons
        ]
        found.sort(key=lambda activity: activity.started_at)
        return AUTOSCALING.answer(
            "ScalingActivities", [_view(activity) for activity in reversed(found)], params
        )

    def begun(self, resource: str, description: str, cause: str) -> Activity:
        """Return a new activity; the one before that is still in progress is overridden."""
        kept = self.activities.setdefault(resource, [])
        now = self.clock.now()
        for earlier in kept:
            if earlier.status == IN_PROGRESS:
                earlier.status, earlier.ended_at, earlier.wanted = OVERRIDDEN, now, None
        activity = Activity(str(uuid.uuid4()), resource, description, cause, now, IN_PROGRESS)
        kept.append(activity)
        del kept[:-KEPT]
        return activity

    def ended(self, activity: Activity, status: str, message: str) -> None:
        activity.status, activity.message, activity.wanted = status, message, None
        activity.ended_at = self.clock.now()

    def not_scaled(self, resource: str, cause: str, reason: dict[str, Any]) -> None:
        """Record that a policy changed nothing; the same outcome is not recorded twice in a row."""
        kept = self.activities.setdefault(resource, [])
        if kept and kept[-1].cause == cause and kept[-1].reasons == [reason]:
            return
        now = self.clock.now()
        kept.append(
            Activity(
                str(uuid.uuid4()),
                resource,
                "Attempting to scale due to alarm triggered",
                cause,
                now,
                FAILED,
                ended_at=now,
                reasons=[reason],
            )
        )
        del kept[:-KEPT]


def _view(activity: Activity) -> dict[str, Any]:
    """Return botocore's `ScalingActivity`."""
    optional = {
        "StatusMessage": activity.message,
        "EndTime": activity.ended_at,
        "NotScaledReasons": activity.reasons,
        "Details": json.dumps({"notScaledReasons": activity.reasons}) if activity.reasons else "",
    }
    return {
        "ActivityId": activity.id,
        "ServiceNamespace": NAMESPACE,
        "ResourceId": activity.resource,
        "ScalableDimension": DIMENSION,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": activity.started_at,
        "StatusCode": activity.status,
        **{member: value for member, value in optional.items() if value},
    }
