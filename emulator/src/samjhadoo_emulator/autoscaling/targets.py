"""Scalable targets: register, describe, deregister; their tags."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.autoscaling.base import checked, no_resource, no_target_found, served
from samjhadoo_emulator.autoscaling.changes import Changes
from samjhadoo_emulator.autoscaling.model import DIMENSION, SUSPENSIONS, ScalableTarget
from samjhadoo_emulator.errors import AwsError, validation_exception
from samjhadoo_emulator.pagination import AUTOSCALING
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import Policy
    from samjhadoo_emulator.service import Params, Result

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
        prefix = f"arn:aws:application-autoscaling:{self.region}:{self.account}"
        target = known or ScalableTarget(
            resource,
            f"{prefix}:scalable-target/{identity}",
            f"arn:aws:iam::{self.account}:{LINKED_ROLE}",
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
