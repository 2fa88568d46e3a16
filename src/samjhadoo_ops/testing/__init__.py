"""Tests of deploy code against the local AWS: an emulator in a process of its own, and its fault knobs.

    from samjhadoo_ops.testing import running_emulator

    with running_emulator() as emulator:
        ecs = emulator.client("ecs")
        with emulator.faults.throttle("ecs", "DescribeServices", rate=0.5):
            ...

With pytest, the fixture `emulator` is there by itself (`samjhadoo_ops.testing.plugin`). Needs the extra
`local`.
"""

from __future__ import annotations

from samjhadoo_ops.testing.emulator import Emulator, eventually, running_emulator
from samjhadoo_ops.testing.faults import Fault, Faults

__all__ = ["Emulator", "Fault", "Faults", "eventually", "running_emulator"]
