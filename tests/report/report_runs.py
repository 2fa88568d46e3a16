"""The events of a deploy, for tests of what is drawn from them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from samjhadoo_ops.report.progress import RunProgress

START = 1_800_000_000.0
ARN = "arn:aws:ecs:ap-south-1:000000000000:service-deployment/c/s/dep1"
RELEASE = "3717c314a2b757fc316bc2ef2215ac087a732426"
WATCHING = {
    "deployment": ARN,
    "release": RELEASE,
    "all_at_once": False,
    "started": START,
    "canary_since": None,
    "minute": 0.2,
    "origin": 0.0,
    "healthy_within": 900.0,
    "canary_time": 900.0,
    "bake_time": 3600.0,
    "ends_within": 12000.0,
}
COUNTS = {
    "minutes": 8,
    "canary": {"requests": 9, "errors": 2, "slow": 0, "unanswered": 0},
    "baseline": {"requests": 126, "errors": 0, "slow": 1, "unanswered": 0},
    "verdict": {
        "opinion": "FAIL",
        "signal": "errors",
        "observed": 0.222,
        "threshold": 0.05,
        "window": 480.0,
        "sample": 9,
        "baseline": 0.0,
        "reason": "errors: 22.2 % of 9 canary requests failed",
    },
}


Told = tuple[str, str, dict[str, Any]]


def phase(
    name: str, weight: float, *, since: float = START, **fields: Any
) -> tuple[str, str, dict[str, Any]]:
    told = {
        "phase": name,
        "stage": "",
        "status": "IN_PROGRESS",
        "weight": weight,
        "running": 2,
        "requested": 2,
    }
    text = f"{name.lower().replace('_', ' ')}, {weight:g} % of traffic"
    return "phase", text, {**told, "failed": 0, "since": since, "acts_at": None, **fields}


PREPARED = [
    ("step", "", {"step": "preflight", "state": "began"}),
    ("gate", "[ok] lock: the lock is free: nobody holds it", {"gate": "lock", "state": "ok"}),
    (
        "gate",
        "[overridden] window: in the window: it is <b>Friday</b>; overridden: a|b",
        {"gate": "window", "state": "overridden"},
    ),
    ("step", "", {"step": "preflight", "state": "ended", "seconds": 1.5}),
    ("build", f"building release {RELEASE}", {"version": RELEASE}),
    ("step", "", {"step": "migrate", "state": "ended", "seconds": 0.5}),
    ("deploy", "deploy 1", {"deploy": "1"}),
    ("deployment", "deployment dep1 has started", {"deployment": ARN}),
    ("watching", "", WATCHING),
]
CANARY = [
    *PREPARED,
    phase("SCALING_UP", 0.0),
    phase("TESTING", 0.0, acts_at=datetime.fromtimestamp(START + 960, UTC)),
    phase("CANARY", 10.0, since=START + 300),
    ("probes", "", {"threshold": 5, "failures": {"test": 0, "production": 2}}),
    ("counts", "", COUNTS),
]
BACK = [
    *CANARY,
    ("verdict", "verdict FAIL: errors: 22.2 % of 9", {"opinion": "FAIL", "signal": "errors"}),
    ("stopping", "rolling back: errors: 22.2 % of 9", {"reason": "errors: 22.2 % of 9"}),
    phase("ROLLING_BACK", 0.0),
    phase("ROLLED_BACK", 0.0),
]
BAKING = [*CANARY, phase("BAKING", 100.0, since=START + 1500)]
GOOD = [*BAKING, phase("CLEANING_UP", 100.0), phase("SUCCEEDED", 100.0)]


def progress(events: list[Told], *, each: float = 1.0) -> RunProgress:
    """Return the progress of events, one after the other, so many real seconds apart."""
    told = RunProgress()
    for number, (event, text, fields) in enumerate(events):
        told.record(event, text, fields, number * each)
    return told
