"""The checks that a release must pass before it receives traffic: smoke test and payment check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.checks.payments import payments
from samjhadoo_ops.checks.smoke import smoke

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment


def accept(env: Environment, aws: Aws, url: str, *, version: str) -> None:
    """Check the release that answers at `url`.

    Raises:
        SmokeFailed: A check failed.
        ConfigurationError: The webhook's secret cannot be resolved.

    """
    smoke(env, url, version=version)
    payments(env, aws, url)
