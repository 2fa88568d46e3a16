"""What CloudFormation itself asks of deployment configurations, besides what ECS does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.resources import paths
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

BAKE: Final = 15
"""Minutes of bake time if a template names none."""
CANARY_BAKE, STEP_BAKE, STEP_PERCENT = 10, 6, 10.0
"""ECS's defaults."""
MOST: Final = 33 * 60
"""Minutes that a deployment may take by its configuration [AWS: operations end after 36 hours]."""
_DEFAULTS: Final[Properties] = {
    "Strategy": "ROLLING",
    "MaximumPercent": 200,
    "MinimumHealthyPercent": 100,
    "Alarms": {"AlarmNames": [], "Enable": False, "Rollback": False},
    "DeploymentCircuitBreaker": {"Enable": False, "Rollback": False},
    "LifecycleHooks": [],
}


def configuration(wanted: Mapping[str, Any], previous: Mapping[str, Any]) -> Properties:
    """Return a deployment configuration for ECS.

    Args:
        wanted: The property of the template.
        previous: What the service has by its last template: what is no longer named has its default again.
    """
    gone = {name: value for name, value in _DEFAULTS.items() if name in previous and name not in wanted}
    result = {**gone, **wanted}
    if result.get("Strategy", "ROLLING") != "ROLLING":
        result.setdefault("BakeTimeInMinutes", BAKE)
    return result


def check(wanted: Mapping[str, Any]) -> None:
    """Refuse a deployment that would take longer than a stack can wait.

    Raises:
        AwsError: Its bake times are too long together.
    """
    try:
        minutes = _minutes(wanted)
    except (OverflowError, TypeError, ValueError):
        return  # not known yet, or no number
    if minutes > MOST:
        raise AwsError(
            "InvalidRequest",
            f"The deployment time of {minutes:g} minutes that is calculated from DeploymentConfiguration "
            f"exceeds {MOST // 60} hours, which CloudFormation allows.",
        )


def _minutes(wanted: Mapping[str, Any]) -> float:
    """Return how long a deployment takes by its bake times."""
    bake = _number(wanted, "BakeTimeInMinutes", BAKE)
    strategy = wanted.get("Strategy")
    if strategy == "CANARY":
        return bake + _number(wanted, "CanaryConfiguration.CanaryBakeTimeInMinutes", CANARY_BAKE)
    if strategy == "LINEAR":
        steps = _steps(_number(wanted, "LinearConfiguration.StepPercent", STEP_PERCENT))
        return bake + _number(wanted, "LinearConfiguration.StepBakeTimeInMinutes", STEP_BAKE) * steps
    return 0.0


def _number(wanted: Mapping[str, Any], path: str, default: float) -> float:
    return float(next(paths.values(wanted, path), default))


def _steps(percent: float) -> int:
    """Return after how many shifts of traffic a linear deployment bakes: not after the last."""
    tenths = max(1, round(percent * 10))
    whole, rest = divmod(1000, tenths)
    return whole if rest else whole - 1
