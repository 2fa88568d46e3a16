"""Checks of a running release through its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.checks.payments import payments
from samjhadoo_ops.checks.smoke import SmokeFailed, SmokeReport, smoke

if TYPE_CHECKING:
    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

__all__ = ["SmokeFailed", "SmokeReport", "accept", "payments", "smoke"]


def accept(env: Environment, aws: Aws, url: str, *, version: str) -> None:
    """Check the release at `url`: smoke test and payment check; see both for errors."""
    smoke(env, url, version=version)
    payments(env, aws, url)
