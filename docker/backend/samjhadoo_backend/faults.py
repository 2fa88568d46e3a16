"""Faults that a release is given by environment variables: a bad release is just another release."""

from __future__ import annotations

import random
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s)?")
_SHARE = re.compile(r"(\d+(?:\.\d+)?)(%)?")
_STARTED = time.monotonic()


@dataclass(frozen=True)
class Faults:
    """What goes wrong in this release.

    Args:
        error_rate: Share of requests, 0 to 1, answered with 500; health checks and webhooks excepted.
        latency: Seconds that such a request is held up first.
        unhealthy_after: Seconds from start until `/health` fails; None for never.
        crash_after: Seconds from start until the process exits; None for never.
        crash_code: The exit code of that.
        slow_start: Seconds before the port is opened.
        webhook_error_rate: Share of webhooks, 0 to 1, answered with 500.
    """

    error_rate: float = 0.0
    latency: float = 0.0
    unhealthy_after: float | None = None
    crash_after: float | None = None
    crash_code: int = 1
    slow_start: float = 0.0
    webhook_error_rate: float = 0.0

    @classmethod
    def read(cls, variables: Mapping[str, str]) -> Faults:
        """Read the `FAULT_…` variables.

        Raises:
            ValueError: One of them is malformed.
        """
        health = variables.get("FAULT_HEALTH", "")
        crash = variables.get("FAULT_CRASH_AFTER", "")
        return cls(
            error_rate=_share(variables.get("FAULT_ERROR_RATE") or "0", "FAULT_ERROR_RATE"),
            latency=_seconds(variables.get("FAULT_LATENCY") or "0", "FAULT_LATENCY"),
            unhealthy_after=None
            if not health
            else 0.0
            if health == "fail"
            else _seconds(health, "FAULT_HEALTH"),
            crash_after=_seconds(crash, "FAULT_CRASH_AFTER") if crash else None,
            crash_code=int(variables.get("FAULT_CRASH_CODE") or "1"),
            slow_start=_seconds(variables.get("FAULT_SLOW_START") or "0", "FAULT_SLOW_START"),
            webhook_error_rate=_share(
                variables.get("FAULT_WEBHOOK_ERROR_RATE") or "0", "FAULT_WEBHOOK_ERROR_RATE"
            ),
        )

    def unhealthy(self) -> bool:
        """Return whether `/health` has to fail by now."""
        return self.unhealthy_after is not None and time.monotonic() - _STARTED >= self.unhealthy_after

    def strikes(self) -> bool:
        """Draw whether a request has to fail."""
        return self.error_rate > 0 and random.random() < self.error_rate

    def strikes_webhook(self) -> bool:
        """Draw whether a webhook has to fail."""
        return self.webhook_error_rate > 0 and random.random() < self.webhook_error_rate


def _seconds(text: str, name: str) -> float:
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{name} is not a time such as 1.5, 2s or 300ms: {text!r}")
    return float(match[1]) / (1000 if match[2] == "ms" else 1)


def _share(text: str, name: str) -> float:
    match = _SHARE.fullmatch(text.strip())
    share = float(match[1]) / (100 if match[2] else 1) if match else -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{name} is not a share such as 0.05 or 5%: {text!r}")
    return share
