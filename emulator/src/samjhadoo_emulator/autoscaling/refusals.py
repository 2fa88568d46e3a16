"""Refusals in Application Auto Scaling's words."""

from __future__ import annotations

from samjhadoo_emulator.autoscaling.model import DIMENSION, NAMESPACE
from samjhadoo_emulator.errors import AwsError


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
    """Return the refusal of an ARN whose tags are asked for."""
    return AwsError(
        "ResourceNotFoundException", f"The resource with ARN {arn} could not be found.", ResourceName=arn
    )


def _named(resource: str) -> str:
    return f"service namespace: {NAMESPACE}, resource ID: {resource}, scalable dimension: {DIMENSION}"
