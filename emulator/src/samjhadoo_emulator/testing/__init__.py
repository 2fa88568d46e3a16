"""Tests of deploy code against the emulator, in a process of its own, and its faults.

    from samjhadoo_emulator.testing import running_emulator

    with running_emulator() as emulator:
        ecs = emulator.client("ecs")
        with emulator.faults.throttle("ecs", "DescribeServices", rate=0.5):
            ...

`LocalAws(url, region)` is an emulator that runs already. pytest has the fixture `emulator` once this package
is installed (`samjhadoo_emulator.testing.plugin`).
"""

from __future__ import annotations

from samjhadoo_emulator.testing.emulator import (
    CONTROL_HEADERS,
    Emulator,
    LocalAws,
    eventually,
    running_emulator,
)
from samjhadoo_emulator.testing.faults import Fault, Faults

__all__ = ["CONTROL_HEADERS", "Emulator", "Fault", "Faults", "LocalAws", "eventually", "running_emulator"]
