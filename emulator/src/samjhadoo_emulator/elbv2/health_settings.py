"""Settings of health checks: AWS's defaults and bounds."""

from __future__ import annotations

import re
from typing import Any

from samjhadoo_emulator.elbv2.data_plane.clusters import statuses
from samjhadoo_emulator.errors import validation_error

DEFAULTS: dict[str, Any] = {
    "HealthCheckPort": "traffic-port",
    "HealthCheckEnabled": True,
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "HealthCheckPath": "/",
    "Matcher": {"HttpCode": "200"},
}
MEMBERS = ("HealthCheckProtocol", *DEFAULTS)
LONGEST_PATH = 1024
_BOUNDS = {
    "HealthCheckIntervalSeconds": ("Health check interval", 5, 300),
    "HealthCheckTimeoutSeconds": ("Health check timeout", 2, 120),
    "HealthyThresholdCount": ("Healthy threshold count", 2, 10),
    "UnhealthyThresholdCount": ("Unhealthy threshold count", 2, 10),
}
_CODES = re.compile(r"\d{3}(-\d{3})?(,\s*\d{3}(-\d{3})?)*")
_FIRST_CODE, _LAST_CODE = 200, 499


def settings(params: dict[str, Any], current: dict[str, Any]) -> dict[str, Any]:
    """Return `current` changed by a request's health check members.

    Raises:
        AwsError: A value is out of AWS's bounds.

    """
    given = {member: params[member] for member in MEMBERS if params.get(member) is not None}
    result = {**current, **given}
    for member, (words, least, most) in _BOUNDS.items():
        if not least <= result[member] <= most:
            raise validation_error(f"{words} '{result[member]}' must be between '{least}-{most}' inclusive")
    interval, timeout = result["HealthCheckIntervalSeconds"], result["HealthCheckTimeoutSeconds"]
    if timeout >= interval:
        raise validation_error(
            f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        )
    if result["HealthCheckProtocol"] not in ("HTTP", "HTTPS"):
        raise validation_error(
            f"Health check protocol '{result['HealthCheckProtocol']}' must be one of 'HTTP, HTTPS'"
        )
    if not result["HealthCheckEnabled"]:
        raise validation_error(
            "Health check enabled must be true for target groups with target type 'ip' or 'instance'"
        )
    _check_port(result["HealthCheckPort"])
    _check_path(result["HealthCheckPath"])
    _check_matcher(result["Matcher"])
    return result


def _check_port(port: str) -> None:
    if port != "traffic-port" and not (port.isdigit() and 1 <= int(port) <= 65535):  # noqa: PLR2004
        raise validation_error(
            f"Health check port '{port}' must be 'traffic-port' or in the range '1-65535' inclusive"
        )


def _check_path(path: str) -> None:
    if not path.startswith("/"):
        raise validation_error(f"Health check path '{path}' must begin with '/' character")
    if len(path) > LONGEST_PATH:
        raise validation_error(
            f"Health check path '{path}' cannot be longer than '{LONGEST_PATH}' characters"
        )


def _check_matcher(matcher: dict[str, str]) -> None:
    codes = matcher.get("HttpCode", "")
    if not _CODES.fullmatch(codes):
        raise validation_error(
            f"Health check matcher HTTP code '{codes}' must be a code, a list or a range of codes"
        )
    if any(not _FIRST_CODE <= first <= last <= _LAST_CODE for first, last in statuses(codes)):
        raise validation_error(
            f"Health check matcher HTTP code '{codes}' must be within '{_FIRST_CODE}-{_LAST_CODE}' inclusive"
        )
