"""Bucket policies that deny under a condition: moto ignores the condition, and so denies everything.

Most buckets have such a statement: it refuses requests without TLS, which those to an emulator stand for.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def amend() -> None:
    """Let statements that deny under a condition deny nothing, as moto cannot evaluate the condition."""
    from moto.iam.access_control import IAMPolicyStatement

    IAMPolicyStatement.is_action_permitted = _unconditionally(IAMPolicyStatement.is_action_permitted)


def _unconditionally(method: Callable[..., Any]) -> Callable[..., Any]:
    from moto.iam.access_control import PermissionResult

    @functools.wraps(method)
    def evaluate(statement: Any, *values: Any, **named: Any) -> Any:
        declared = statement._statement  # noqa: SLF001 - moto has no accessor
        if declared["Effect"] == "Deny" and declared.get("Condition"):
            return PermissionResult.NEUTRAL
        return method(statement, *values, **named)

    return evaluate
