"""Names of load balancers and target groups."""

from __future__ import annotations

import re

from samjhadoo_emulator.errors import validation_error

LONGEST = 32
_PERMITTED = re.compile("[a-zA-Z0-9-]+")


def check(kind: str, name: str) -> None:
    """Refuse a name that AWS would refuse; `kind` is `Load balancer` or `Target group`.

    Raises:
        AwsError: The name is too long or has characters that are not permitted.

    """
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
