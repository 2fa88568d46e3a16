"""Bucket policies with conditions: moto refuses every request that such a statement names, whatever it says.

At AWS, a statement whose condition is not met says nothing. moto knows none of the values that conditions
compare, so a policy that denies requests without encryption, as AWS recommends, would lock everybody out.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def amend() -> None:
    """Let only statements without conditions decide about a request."""
    from moto.s3.models import FakeBucket

    FakeBucket.get_permission = _without_conditions(FakeBucket.get_permission)


def _without_conditions(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def decide(bucket: Any, action: str, resource: str) -> Any:
        whole = bucket.policy
        if whole is None:
            return method(bucket, action, resource)
        document = json.loads(whole.decode() if isinstance(whole, bytes) else whole)
        statements = document.get("Statement", [])
        listed = statements if isinstance(statements, list) else [statements]
        plain = [each for each in listed if not each.get("Condition")]
        bucket.policy = json.dumps({**document, "Statement": plain}).encode() if plain else None
        try:
            return method(bucket, action, resource)
        finally:
            bucket.policy = whole

    return decide
