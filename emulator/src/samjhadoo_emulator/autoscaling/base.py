"""What the parts of the service share: targets, activities, and the ECS services behind them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from samjhadoo_emulator.autoscaling.model import DIMENSION, NAMESPACE
from samjhadoo_emulator.errors import AwsError, not_implemented, validation_exception
from samjhadoo_emulator.service import LiveService

if TYPE_CHECKING:
    from samjhadoo_emulator.autoscaling.model import Activity, ScalableTarget
    from samjhadoo_emulator.service import AwsApi, Host, Params

UNDER_WAY = ["PENDING", "IN_PROGRESS", "STOP_REQUESTED", "ROLLBACK_REQUESTED", "ROLLBACK_IN_PROGRESS"]
_UNSUPPORTED = "Unsupported service namespace, resource type or scalable dimension"
_RESOURCE_PARTS = 3


class AutoScalingBase(LiveService):
    """A region's scalable targets.

    Attributes:
        targets: By resource id.
        activities: By resource id, the newest last; they outlive their target.
    """

    name: ClassVar[str] = "application-autoscaling"

    def __init__(self, host: Host, region: str, aws: AwsApi) -> None:
        super().__init__(host, region, aws)
        self.targets: dict[str, ScalableTarget] = {}
        self.activities: dict[str, list[Activity]] = {}
        self.turns: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def wake(self) -> None:
        """Check again what waits for its time."""

    def target(self, params: Params) -> ScalableTarget:
        """Return the target that a request names.

        Raises:
            AwsError: The resource is not registered.
        """
        resource = checked(params)
        if resource not in self.targets:
            raise no_target(resource)
        return self.targets[resource]

    async def ecs_service(self, target: ScalableTarget) -> dict[str, Any]:
        """Return botocore's `Service` of the ECS service behind a target."""
        try:
            answer = await self.aws.call(
                "ecs", "DescribeServices", cluster=target.cluster, services=[target.service]
            )
        except AwsError as error:
            raise _no_service(target.resource) from error
        active: list[dict[str, Any]] = [each for each in answer["services"] if each["status"] == "ACTIVE"]
        if not active:
            raise _no_service(target.resource)
        return active[0]

    async def deploying(self, target: ScalableTarget) -> bool:
        """Return whether a deployment of the service behind a target is in progress."""
        answer = await self.aws.call(
            "ecs",
            "ListServiceDeployments",
            cluster=target.cluster,
            service=target.service,
            status=UNDER_WAY,
        )
        return bool(answer["serviceDeployments"])

    def arn_of(self, kind: str, identity: str, resource: str, named: str) -> str:
        """Return the ARN of a policy or a scheduled action, which is in EC2 Auto Scaling's namespace."""
        prefix = self.home("autoscaling").prefix
        return f"{prefix}{kind}:{identity}:resource/{NAMESPACE}/{resource}:{named}"


def served(params: Params) -> None:
    """Refuse a request about resources that are not ECS services: nothing would scale them."""
    namespace = params["ServiceNamespace"]
    if namespace != NAMESPACE:
        raise not_implemented(f"The emulator scales services of {NAMESPACE}, and nothing of {namespace}.")


def checked(params: Params) -> str:
    """Return the resource id of a request.

    Raises:
        AwsError: The members do not fit together, or the resource is not an ECS service.
    """
    served(params)
    resource: str = params.get("ResourceId", "")
    parts = resource.split("/")
    if (
        params.get("ScalableDimension", DIMENSION) != DIMENSION
        or len(parts) != _RESOURCE_PARTS
        or parts[0] != "service"
        or not all(parts)
    ):
        raise validation_exception(_UNSUPPORTED)
    return resource


def filtered(params: Params) -> str:
    """Return the resource id that a request for a list is limited to; empty for all.

    Raises:
        AwsError: The members do not fit together, or the resources are not ECS services.
    """
    served(params)
    if params.get("ResourceId"):
        return checked(params)
    if params.get("ScalableDimension"):
        raise validation_exception("ResourceId must be specified when ScalableDimension is specified")
    return ""


def _no_service(resource: str) -> AwsError:
    return validation_exception(f"ECS service doesn't exist: {resource}")


def exceeded(message: str) -> AwsError:
    """Return the refusal of one more than the limit."""
    return AwsError("LimitExceededException", message)


def no_target(resource: str) -> AwsError:
    """Return the refusal of a resource that is not a scalable target."""
    return AwsError("ObjectNotFoundException", f"No scalable target registered for {_named(resource)}")


def no_target_found(resource: str) -> AwsError:
    """Return the refusal to deregister a resource that is not a scalable target."""
    return AwsError("ObjectNotFoundException", f"No scalable target found for {_named(resource)}")


def no_policy(resource: str, name: str) -> AwsError:
    """Return the refusal of a policy that is not there."""
    return AwsError(
        "ObjectNotFoundException", f"No scaling policy found for {_named(resource)}, policy name: {name}"
    )


def no_scheduled_action(resource: str, name: str) -> AwsError:
    """Return the refusal of a scheduled action that is not there."""
    return AwsError(
        "ObjectNotFoundException",
        f"No scheduled action found for {_named(resource)}, scheduled action name: {name}",
    )


def no_resource(arn: str) -> AwsError:
    """Return the refusal of an ARN whose tags are requested."""
    return AwsError(
        "ResourceNotFoundException", f"The resource with ARN {arn} could not be found.", ResourceName=arn
    )


def _named(resource: str) -> str:
    return f"service namespace: {NAMESPACE}, resource ID: {resource}, scalable dimension: {DIMENSION}"
