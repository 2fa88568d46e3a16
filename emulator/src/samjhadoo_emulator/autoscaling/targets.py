"""Scalable targets: register, describe, deregister; their tags."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.arns import partition
from samjhadoo_emulator.autoscaling.activities import (
    FAILED,
    IN_PROGRESS,
    OVERRIDDEN,
    SUCCESSFUL,
    Activities,
)
from samjhadoo_emulator.autoscaling.base import checked, no_resource, no_target_found, served
from samjhadoo_emulator.autoscaling.model import DIMENSION, SUSPENSIONS, ScalableTarget
from samjhadoo_emulator.errors import AwsError, validation_exception
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import Activity, Policy
    from samjhadoo_emulator.service import Params, Result


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


MOST_TAGS = 50
LINKED_ROLE = (
    "role/aws-service-role/ecs.application-autoscaling.amazonaws.com/"
    "AWSServiceRoleForApplicationAutoScaling_ECSService"
)
_TAGGED = (
    "The scalable target that you tried to tag already exists. "
    "To update tags on an existing scalable target, use the TagResource API."
)


class ScalableTargets(Changes):
    """The desired counts that are scaled."""

    @operation("RegisterScalableTarget")
    async def register_scalable_target(self, params: Params) -> Result:
        resource = checked(params)
        async with self.turns[resource]:
            target = await self._registered(resource, params)
            self.targets[resource] = target
            if "MinCapacity" in params or "MaxCapacity" in params:
                await self.come_into_range(target)
        return {"ScalableTargetARN": target.arn}

    async def _registered(self, resource: str, params: Params) -> ScalableTarget:
        """Return a target, new or updated."""
        known = self.targets.get(resource)
        for member, what in (("MinCapacity", "Minimum"), ("MaxCapacity", "Maximum")):
            if known is None and member not in params:
                raise validation_exception(f"{what} capacity must be specified")
        if known and params.get("Tags"):
            raise validation_exception(_TAGGED)
        minimum = params.get("MinCapacity", known.minimum if known else 0)
        maximum = params.get("MaxCapacity", known.maximum if known else 0)
        check_range(minimum, maximum)
        identity = uuid.uuid4().hex + uuid.uuid4().hex[:4]
        target = known or ScalableTarget(
            resource,
            f"{self.home().prefix}scalable-target/{identity}",
            f"arn:{partition(self.region)}:iam::{self.account}:{LINKED_ROLE}",
            minimum,
            maximum,
            self.clock.now(),
            tags=dict(params.get("Tags") or {}),
        )
        await self.ecs_service(target)
        target.minimum, target.maximum = minimum, maximum
        for name, value in (params.get("SuspendedState") or {}).items():
            target.suspended[name] = value
        return target

    @operation("DescribeScalableTargets")
    async def describe_scalable_targets(self, params: Params) -> Result:
        served(params)
        wanted = params.get("ResourceIds") or []
        if params.get("ScalableDimension", DIMENSION) != DIMENSION:
            raise validation_exception("Unsupported service namespace, resource type or scalable dimension")
        found = [
            _view(target)
            for resource, target in sorted(self.targets.items())
            if not wanted or resource in wanted
        ]
        return AUTOSCALING.answer("ScalableTargets", found, params)

    @operation("DeregisterScalableTarget")
    async def deregister_scalable_target(self, params: Params) -> Result:
        resource = checked(params)
        target = self.targets.pop(resource, None)
        if target is None:
            raise no_target_found(resource)
        for policy in target.policies.values():
            await self.drop_alarms(policy.alarms)
        return {}

    @operation("TagResource")
    async def tag_resource(self, params: Params) -> Result:
        target = self._tagged(params["ResourceARN"])
        tags = target.tags | params["Tags"]
        if len(tags) > MOST_TAGS:
            raise AwsError(
                "TooManyTagsException",
                f"A resource can have at most {MOST_TAGS} tags.",
                ResourceName=target.arn,
            )
        target.tags = tags
        return {}

    @operation("UntagResource")
    async def untag_resource(self, params: Params) -> Result:
        target = self._tagged(params["ResourceARN"])
        target.tags = {key: value for key, value in target.tags.items() if key not in params["TagKeys"]}
        return {}

    @operation("ListTagsForResource")
    async def list_tags_for_resource(self, params: Params) -> Result:
        return {"Tags": dict(self._tagged(params["ResourceARN"]).tags)}

    async def drop_alarms(self, names: list[str]) -> None:
        """Delete alarms that a policy owned; one may be gone."""
        for name in names:
            try:
                await self.aws.call("cloudwatch", "DeleteAlarms", AlarmNames=[name])
            except AwsError as error:
                if error.code != "ResourceNotFound":
                    raise

    def policy_of(self, arn: str) -> tuple[ScalableTarget, Policy] | None:
        """Return the policy of an ARN, with or without its alarms' creator at the end."""
        plain = arn.partition(":createdBy/")[0]
        for target in self.targets.values():
            for policy in target.policies.values():
                if policy.arn == plain:
                    return target, policy
        return None

    def _tagged(self, arn: str) -> ScalableTarget:
        for target in self.targets.values():
            if target.arn == arn:
                return target
        raise no_resource(arn)


def check_range(minimum: int, maximum: int) -> None:
    """Refuse a range whose minimum exceeds its maximum."""
    if minimum < 0:
        raise validation_exception("Minimum capacity cannot be less than 0")
    if maximum < minimum:
        raise validation_exception("Maximum capacity cannot be less than minimum capacity")


def _view(target: ScalableTarget) -> dict[str, Any]:
    """Return botocore's `ScalableTarget`."""
    return {
        **target.key(),
        "MinCapacity": target.minimum,
        "MaxCapacity": target.maximum,
        "RoleARN": target.role,
        "CreationTime": target.created_at,
        "SuspendedState": {name: target.suspended[name] for name in SUSPENSIONS},
        "ScalableTargetARN": target.arn,
    }
