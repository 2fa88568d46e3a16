"""Service deployments as a stack waits for them: each has to succeed, or its resource fails."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.calls import uncancelled
from samjhadoo_emulator.cloudformation.resources.waiting import pause
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Request

HOUR: Final = 3600.0
STEADY: Final = 3 * HOUR
"""Seconds that a rolling deployment gets to reach its steady state [AWS: 3 hours]."""
LONGEST: Final = 36 * HOUR
"""Seconds that any deployment gets [AWS: the operations of CloudFormation time out after 36 hours]."""
_FAILED: Final = frozenset({"STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"})
_BREAKER: Final = "ECS Deployment Circuit Breaker was triggered"


async def finish(request: Request, arn: str, *, rolling: bool) -> None:
    """Wait until a service deployment has succeeded. A cancelled operation stops it.

    Args:
        arn: The service deployment's.
        rolling: Whether the strategy is ROLLING, which has the shorter time.

    Raises:
        AwsError: The deployment failed, was stopped or took too long.
    """
    longest = STEADY if rolling else LONGEST
    deadline = request.clock.timestamp() + longest
    try:
        while (deployment := await _described(request, arn))["status"] != "SUCCESSFUL":
            if deployment["status"] in _FAILED:
                raise failure(deployment)
            if request.clock.timestamp() > deadline:
                raise AwsError("NotStabilized", "Exceeded attempts to wait")
            await pause(request)
    except asyncio.CancelledError:
        await _stop(request, arn)
        raise


def failure(deployment: Mapping[str, Any]) -> AwsError:
    """Return the error for a service deployment that failed, in the words of AWS's handler."""
    tripped = deployment.get("deploymentCircuitBreaker", {}).get("status") == "TRIGGERED"
    reason = deployment.get("statusReason") or f"Service deployment {deployment['status']}"
    operation = _BREAKER if tripped else reason.removesuffix(".")
    return AwsError("GeneralServiceException", f"Error occurred during operation '{operation}'.")


async def _described(request: Request, arn: str) -> dict[str, Any]:
    answer = await request.aws.call("ecs", "DescribeServiceDeployments", serviceDeploymentArns=[arn])
    if not answer["serviceDeployments"]:
        raise AwsError("NotFound", f"The service deployment {arn} does not exist.")
    found: dict[str, Any] = answer["serviceDeployments"][0]
    return found


async def _stop(request: Request, arn: str) -> None:
    """Stop a service deployment, unless it has ended by itself."""
    try:
        await uncancelled(request.aws).call("ecs", "StopServiceDeployment", serviceDeploymentArn=arn)
    except AwsError:
        return
