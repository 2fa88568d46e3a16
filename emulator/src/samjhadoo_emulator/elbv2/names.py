"""Names and ARNs of load balancers and of what belongs to them, in AWS's form."""

from __future__ import annotations

import re
import secrets

from samjhadoo_emulator.arns import Home
from samjhadoo_emulator.errors import validation_error

LONGEST = 32
SERVICE = "elasticloadbalancing"
"""The service's name in ARNs."""
_PERMITTED = re.compile("[a-zA-Z0-9-]+")


def check(kind: str, name: str) -> None:
    """Refuse a name that AWS would refuse; `kind` is `Load balancer` or `Target group`."""
    if len(name) > LONGEST:
        raise validation_error(f"{kind} name '{name}' cannot be longer than '{LONGEST}' characters")
    if not _PERMITTED.fullmatch(name):
        raise validation_error(
            f"{kind} name '{name}' can only contain characters that are"
            " alphanumeric characters or hyphens(-)",
        )
    if name.startswith("-") or name.endswith("-"):
        raise validation_error(f"{kind} name '{name}' cannot begin or end with '-'")
    if name.startswith("internal-"):
        raise validation_error(f"{kind} name '{name}' cannot begin with 'internal-'")


def new_id() -> str:
    """Return the 16 hexadecimal digits that end an ARN."""
    return secrets.token_hex(8)


def load_balancer_arn(region: str, account: str, name: str) -> str:
    """Return a new Application Load Balancer's ARN."""
    return f"{Home(SERVICE, region, account).prefix}loadbalancer/app/{name}/{new_id()}"


def target_group_arn(region: str, account: str, name: str) -> str:
    """Return a new target group's ARN."""
    return f"{Home(SERVICE, region, account).prefix}targetgroup/{name}/{new_id()}"


def listener_arn(load_balancer: str) -> str:
    """Return a new listener's ARN."""
    return f"{load_balancer.replace(':loadbalancer/', ':listener/')}/{new_id()}"


def rule_arn(listener: str) -> str:
    """Return a new rule's ARN."""
    return f"{listener.replace(':listener/', ':listener-rule/')}/{new_id()}"


def slug(arn: str) -> str:
    """Return the part of an ARN that names the resource, as one word (`app-web-50dc6c495c0c9188`)."""
    return arn.rpartition(":")[2].partition("/")[2].replace("/", "-")
