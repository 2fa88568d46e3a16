"""Checks of a running release through its endpoints."""

from __future__ import annotations

from samjhadoo_ops.checks.acceptance import accept
from samjhadoo_ops.checks.payments import payments
from samjhadoo_ops.checks.smoke import SmokeFailed, SmokeReport, smoke

__all__ = ["SmokeFailed", "SmokeReport", "accept", "payments", "smoke"]
