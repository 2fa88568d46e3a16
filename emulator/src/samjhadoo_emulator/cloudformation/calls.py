"""The AWS API as resource types get it, and how AWS words their failures."""

from __future__ import annotations

import asyncio
import random
import uuid
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator import wire
from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.internal import in_region

if TYPE_CHECKING:
    from samjhadoo_emulator.clock import Clock
    from samjhadoo_emulator.cloudformation.scheduling import Cancellation
    from samjhadoo_emulator.service import AwsApi

ATTEMPTS: Final = 8
"""How often a call that is throttled is made in all."""
LONGEST_PAUSE: Final = 20.0
"""Seconds of the emulated clock between two attempts, at most."""
THROTTLED: Final = frozenset(
    {
        "BandwidthLimitExceeded",
        "EC2ThrottledException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)
"""The error codes with which services throttle, from botocore's standard retries."""
_HANDLER_CODES: Final = {
    "AccessDenied": ("AccessDenied", "Unauthorized", "NotAuthorized"),
    "AlreadyExists": ("AlreadyExists", "Duplicate", "AlreadyOwnedByYou", "EntityAlreadyExists"),
    "NotFound": ("NotFound", "NoSuch", "DoesNotExist"),
    "ServiceLimitExceeded": ("LimitExceeded", "QuotaExceeded"),
    "InvalidRequest": ("Invalid", "Validation", "Malformed", "BadRequest", "Missing", "ClientException"),
    "ResourceConflict": ("Conflict", "InUse", "DependencyViolation"),
}
"""HandlerErrorCodes, each with what the codes of services contain that it stands for."""
HANDLER_CODES: Final = frozenset(
    {*_HANDLER_CODES, "GeneralServiceException", "NotStabilized", "NotUpdatable", "ServiceInternalError"}
)


class ResourceError(AwsError):
    """A failure whose text is the reason as it stands, for example that of a nested stack."""

    def __init__(self, reason: str) -> None:
        super().__init__("GeneralServiceException", reason)


class ResourceApi:
    """The AWS API in the hands of a resource type: it repeats throttled calls, and can be cancelled.

    Args:
        aws: The AWS API.
        clock: The emulated clock, on which it waits between attempts.
        cancellation: Of the operation; calls begin no more once it is set.
    """

    def __init__(self, aws: AwsApi, clock: Clock, cancellation: Cancellation) -> None:
        self._aws = aws
        self._clock = clock
        self._cancellation = cancellation

    @property
    def uncancelled(self) -> AwsApi:
        """The same API for what has to be done although the operation is cancelled."""
        return self._aws

    def in_region(self, region: str) -> ResourceApi:
        """Return the API of another region."""
        return ResourceApi(in_region(self._aws, region), self._clock, self._cancellation)

    async def call(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """Call an operation; see `AwsApi`.

        Raises:
            AwsError: The service refused; its attribute `service` says which one.
        """
        for attempt in range(1, ATTEMPTS + 1):
            self._cancellation.call_begins()
            try:
                return await self._aws.call(service, operation, **params)
            except AwsError as error:
                if error.code not in THROTTLED or attempt == ATTEMPTS:
                    error.service = service  # type: ignore[attr-defined]
                    raise
            finally:
                self._cancellation.call_ends()
            await asyncio.sleep(self._clock.real(_pause(attempt)))
        raise AssertionError("unreachable")  # pragma: no cover


def uncancelled(aws: AwsApi) -> AwsApi:
    """Return an API whose calls are made even when the operation is being cancelled."""
    return aws.uncancelled if isinstance(aws, ResourceApi) else aws


def _pause(attempt: int) -> float:
    return random.uniform(0.5, 1.0) * min(LONGEST_PAUSE, 2.0 ** (attempt - 1))  # noqa: S311 - jitter


def handler_message(error: AwsError) -> str:
    """Return a failure's reason in the words of CloudFormation's resource handlers."""
    if isinstance(error, ResourceError):
        return error.message
    service = getattr(error, "service", "")
    text = error.message
    if service:
        text += f" (Service: {_sdk_name(service)}, Status Code: {error.status}, Request ID: {uuid.uuid4()})"
    return (
        f'Resource handler returned message: "{text}" '
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {handler_code(error.code)})"
    )


def handler_code(code: str) -> str:
    """Return the HandlerErrorCode for a service's error code."""
    if code in HANDLER_CODES:
        return code
    if code in THROTTLED:
        return "Throttling"
    for name, parts in _HANDLER_CODES.items():
        if any(part in code for part in parts):
            return name
    return "GeneralServiceException"


def _sdk_name(service: str) -> str:
    """Return a service's name as AWS's Java SDK writes it: `Ecs`, `CloudWatchLogs`."""
    words = str(wire.service_model(service).metadata["serviceId"]).split()
    return "".join(word.title() if word.isupper() else f"{word[:1].upper()}{word[1:]}" for word in words)
