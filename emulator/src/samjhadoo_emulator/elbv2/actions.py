"""Actions of rules: checked and brought into the form in which AWS shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.errors import AwsError, validation_error

if TYPE_CHECKING:
    from collections.abc import Container

SERVED = ("forward", "redirect", "fixed-response")
AUTHENTICATING = ("authenticate-cognito", "authenticate-oidc", "jwt-validation")
HEAVIEST = 999
MOST_TARGET_GROUPS = 5
LONGEST_STICKINESS = 604800
STATUS = r"^(2|4|5)\d\d$"
CONTENT_TYPES = ("text/plain", "text/css", "text/html", "application/javascript", "application/json")
REDIRECT = {
    "Protocol": "#{protocol}",
    "Port": "#{port}",
    "Host": "#{host}",
    "Path": "/#{path}",
    "Query": "#{query}",
}


def normalise(actions: list[dict[str, Any]], target_groups: Container[str]) -> list[dict[str, Any]]:
    """Return a rule's actions as AWS shows them: weights and stickiness filled in.

    Raises:
        AwsError: An action is malformed or names a target group that does not exist.
    """
    if len(actions) != 1:
        raise validation_error(
            "Exactly one action of type 'forward', 'redirect' or 'fixed-response' is needed",
        )
    action = actions[0]
    kind = action.get("Type")
    if kind in AUTHENTICATING:
        raise AwsError(
            "InvalidLoadBalancerAction",
            f"The emulator's load balancers do not serve actions of type '{kind}'",
        )
    if kind == "forward":
        shown = _forward(action, target_groups)
    elif kind == "redirect":
        shown = _redirect(action)
    elif kind == "fixed-response":
        shown = _fixed_response(action)
    else:
        raise _enum("type", str(kind), SERVED)
    return [{"Type": kind, **({"Order": action["Order"]} if action.get("Order") else {}), **shown}]


def _forward(action: dict[str, Any], target_groups: Container[str]) -> dict[str, Any]:
    config = action.get("ForwardConfig") or {}
    groups = config.get("TargetGroups") or []
    scalar = action.get("TargetGroupArn")
    if not groups and not scalar:
        raise validation_error("You must specify a target group for actions of type 'forward'")
    if scalar and groups and [group.get("TargetGroupArn") for group in groups] != [scalar]:
        raise validation_error("TargetGroupArn and ForwardConfig must name the same, single target group")
    groups = [_weighted(group) for group in groups or [{"TargetGroupArn": scalar}]]
    arns = [group["TargetGroupArn"] for group in groups]
    if len(arns) > MOST_TARGET_GROUPS:
        raise AwsError(
            "TooManyTargetGroups", f"A rule can forward to '{MOST_TARGET_GROUPS}' target groups at most"
        )
    if len(set(arns)) < len(arns):
        raise validation_error("A target group can be named only once in an action")
    for arn in arns:
        if arn not in target_groups:
            raise AwsError("TargetGroupNotFound", f"Target group '{arn}' not found")
    shown: dict[str, Any] = {
        "ForwardConfig": {
            "TargetGroups": groups,
            "TargetGroupStickinessConfig": _stickiness(config.get("TargetGroupStickinessConfig") or {}),
        }
    }
    return {"TargetGroupArn": arns[0], **shown} if len(arns) == 1 else shown


def _weighted(group: dict[str, Any]) -> dict[str, Any]:
    weight = group.get("Weight", 1)
    if not 0 <= weight <= HEAVIEST:
        raise validation_error(f"Target group weight '{weight}' must be between '0-{HEAVIEST}' inclusive")
    return {"TargetGroupArn": group.get("TargetGroupArn"), "Weight": weight}


def _stickiness(config: dict[str, Any]) -> dict[str, Any]:
    if not config.get("Enabled"):
        return {"Enabled": False}
    seconds = config.get("DurationSeconds")
    if seconds is None or not 1 <= seconds <= LONGEST_STICKINESS:
        raise validation_error(
            f"Target group stickiness duration must be between 1 and {LONGEST_STICKINESS} seconds",
        )
    return {"Enabled": True, "DurationSeconds": seconds}


def _redirect(action: dict[str, Any]) -> dict[str, Any]:
    given = action.get("RedirectConfig") or {}
    config = {key: given.get(key, default) for key, default in REDIRECT.items()}
    status = given.get("StatusCode")
    if status not in ("HTTP_301", "HTTP_302"):
        raise _enum("redirectConfig.statusCode", str(status), ("HTTP_301", "HTTP_302"))
    if config["Protocol"] not in ("HTTP", "HTTPS", "#{protocol}"):
        raise validation_error("The Protocol must be 'HTTP', 'HTTPS' or '#{protocol}'")
    if config["Port"] != "#{port}" and not (config["Port"].isdigit() and 1 <= int(config["Port"]) <= 65535):  # noqa: PLR2004
        raise validation_error("The Port must be between 1 and 65535, or '#{port}'")
    if not config["Path"].startswith("/"):
        raise validation_error("The Path parameter must begin with '/'")
    if all(config[key] == REDIRECT[key] for key in ("Protocol", "Port", "Host", "Path")):
        raise AwsError(
            "InvalidLoadBalancerAction", "The redirect configuration is not valid because it creates a loop."
        )
    return {"RedirectConfig": {**config, "StatusCode": status}}


def _fixed_response(action: dict[str, Any]) -> dict[str, Any]:
    config = action.get("FixedResponseConfig") or {}
    status = config.get("StatusCode", "")
    if not re.match(STATUS, status):
        raise validation_error(
            f"1 validation error detected: Value '{status}' at 'actions.1.member.fixedResponseConfig"
            ".statusCode' failed to satisfy constraint:"
            f" Member must satisfy regular expression pattern: {STATUS}"
        )
    if config.get("ContentType") and config["ContentType"] not in CONTENT_TYPES:
        raise AwsError(
            "InvalidLoadBalancerAction",
            "The ContentType must be one of:'text/html', 'application/json', 'application/javascript',"
            " 'text/css', 'text/plain'",
        )
    members = ("MessageBody", "StatusCode", "ContentType")
    return {"FixedResponseConfig": {key: config[key] for key in members if config.get(key)}}


def _enum(member: str, value: str, permitted: tuple[str, ...]) -> AwsError:
    return validation_error(
        f"1 validation error detected: Value '{value}' at 'actions.1.member.{member}' failed to satisfy"
        f" constraint: Member must satisfy enum value set: [{', '.join(permitted)}]",
    )
