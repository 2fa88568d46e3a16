"""The settings of a bucket: each is a property with operations of its own to put, get and delete it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.resources.s3 import lifecycle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties


@dataclass(frozen=True)
class Setting:
    """A setting of a bucket.

    Attributes:
        name: The property.
        operations: What follows `Put` and `Get` in the names of its operations.
        parameter: The parameter with it.
        deletion: The operation that deletes it; empty if the bucket has `unset` put instead.
        unset: What a bucket without it has.
        to_api: Returns the property as the API takes it.
        from_api: Returns the API's answer as the property.
    """

    name: str
    operations: str
    parameter: str
    deletion: str = ""
    unset: Any = None
    to_api: Callable[[Any], Any] = lambda value: value
    from_api: Callable[[Properties], Any] = lambda answer: answer


def _renaming(names: Mapping[str, str]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """Return what renames the members of a document, at any depth, and what names them back."""
    back = {other: name for name, other in names.items()}
    return (lambda value: _renamed(value, names)), (lambda value: _renamed(value, back))


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {names.get(name, name): _renamed(each, names) for name, each in value.items()}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


_encryption = _renaming(
    {
        "ServerSideEncryptionConfiguration": "Rules",
        "ServerSideEncryptionByDefault": "ApplyServerSideEncryptionByDefault",
    }
)
_cors = _renaming(
    {"CorsRules": "CORSRules", "ExposedHeaders": "ExposeHeaders", "Id": "ID", "MaxAge": "MaxAgeSeconds"}
)
_logging = _renaming({"DestinationBucketName": "TargetBucket", "LogFilePrefix": "TargetPrefix"})
_notification = _renaming(
    {
        "LambdaConfigurations": "LambdaFunctionConfigurations",
        "Function": "LambdaFunctionArn",
        "Queue": "QueueArn",
        "Topic": "TopicArn",
        "S3Key": "Key",
        "Rules": "FilterRules",
    }
)
_website = _renaming({"RoutingRuleCondition": "Condition", "RedirectRule": "Redirect"})


def _notification_to_api(value: Properties) -> dict[str, Any]:
    """Return notifications as S3 takes them: each property `Event` is a list there."""
    found: dict[str, Any] = {}
    for name, each in _notification[0](value).items():
        if name == "EventBridgeConfiguration":
            found |= {name: {}} if each.get("EventBridgeEnabled", True) else {}
        else:
            found[name] = [{**one, "Events": [one["Event"]]} for one in each]
            for one in found[name]:
                del one["Event"]
    return found


def _notification_from_api(answer: Properties) -> Properties:
    found: Properties = {}
    for name, each in _notification[1](answer).items():
        if name == "EventBridgeConfiguration":
            found[name] = {"EventBridgeEnabled": True}
        elif name.endswith("Configurations"):
            found[name] = [
                {
                    **{key: value for key, value in one.items() if key not in ("Events", "Id")},
                    "Event": event,
                }
                for one in each
                for event in one["Events"]
            ]
    return found


def _website_to_api(value: Properties) -> dict[str, Any]:
    found: dict[str, Any] = dict(_website[0](value))
    for name, member in (("IndexDocument", "Suffix"), ("ErrorDocument", "Key")):
        if name in found:
            found[name] = {member: found[name]}
    return found


def _website_from_api(answer: Properties) -> Properties:
    found: Properties = dict(_website[1](answer))
    for name, member in (("IndexDocument", "Suffix"), ("ErrorDocument", "Key")):
        if name in found:
            found[name] = found[name][member]
    return found


SETTINGS = (
    Setting(
        "OwnershipControls",
        "BucketOwnershipControls",
        "OwnershipControls",
        "DeleteBucketOwnershipControls",
        from_api=lambda answer: answer["OwnershipControls"],
    ),
    Setting(
        "PublicAccessBlockConfiguration",
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        "DeletePublicAccessBlock",
        from_api=lambda answer: answer["PublicAccessBlockConfiguration"],
    ),
    Setting(
        "BucketEncryption",
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        "DeleteBucketEncryption",
        to_api=_encryption[0],
        from_api=lambda answer: _encryption[1](answer["ServerSideEncryptionConfiguration"]),
    ),
    Setting(
        "VersioningConfiguration",
        "BucketVersioning",
        "VersioningConfiguration",
        unset={"Status": "Suspended"},
        from_api=lambda answer: {"Status": answer["Status"]} if "Status" in answer else None,
    ),
    Setting(
        "ObjectLockConfiguration",
        "ObjectLockConfiguration",
        "ObjectLockConfiguration",
        unset={"ObjectLockEnabled": "Enabled"},
        from_api=lambda answer: answer["ObjectLockConfiguration"],
    ),
    Setting(
        "LifecycleConfiguration",
        "BucketLifecycleConfiguration",
        "LifecycleConfiguration",
        "DeleteBucketLifecycle",
        to_api=lifecycle.to_api,
        from_api=lifecycle.from_api,
    ),
    Setting(
        "LoggingConfiguration",
        "BucketLogging",
        "BucketLoggingStatus",
        unset={},
        to_api=lambda value: {"LoggingEnabled": {"TargetPrefix": "", **_logging[0](value)}} if value else {},
        from_api=lambda answer: _logging[1](answer["LoggingEnabled"]) if "LoggingEnabled" in answer else None,
    ),
    Setting(
        "NotificationConfiguration",
        "BucketNotificationConfiguration",
        "NotificationConfiguration",
        unset={},
        to_api=_notification_to_api,
        from_api=_notification_from_api,
    ),
    Setting(
        "CorsConfiguration",
        "BucketCors",
        "CORSConfiguration",
        "DeleteBucketCors",
        to_api=_cors[0],
        from_api=lambda answer: {"CorsRules": _cors[1](answer["CORSRules"])},
    ),
    Setting(
        "WebsiteConfiguration",
        "BucketWebsite",
        "WebsiteConfiguration",
        "DeleteBucketWebsite",
        to_api=_website_to_api,
        from_api=_website_from_api,
    ),
    Setting(
        "AccelerateConfiguration",
        "BucketAccelerateConfiguration",
        "AccelerateConfiguration",
        unset={"AccelerationStatus": "Suspended"},
        to_api=lambda value: {"Status": value["AccelerationStatus"]},
        from_api=lambda answer: {"AccelerationStatus": answer["Status"]} if "Status" in answer else None,
    ),
)
"""In the order in which a bucket gets them: who owns objects comes before what is done with them."""
