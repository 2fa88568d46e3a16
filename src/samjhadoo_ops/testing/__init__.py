"""Tests of deploy code against the local AWS: an emulator in a process of its own, and its fault knobs.

    from samjhadoo_ops.testing import running_emulator

    with running_emulator() as emulator:
        ecs = emulator.client("ecs")
        with emulator.faults.throttle("ecs", "DescribeServices", rate=0.5):
            ...

`running_stack` runs a whole local stack, of either kind, for a copy of the project. With pytest, the
fixtures `emulator` and `local_stack` are there by themselves (`samjhadoo_ops.testing.plugin`). Needs the
extra `local`.
"""

from __future__ import annotations

from samjhadoo_ops.testing.emulator import Edge, Emulator, eventually, running_emulator
from samjhadoo_ops.testing.faults import Fault, Faults
from samjhadoo_ops.testing.stack import LocalStack, running_stack, stack_on_free_ports

__all__ = [
    "Edge",
    "Emulator",
    "Fault",
    "Faults",
    "LocalStack",
    "eventually",
    "running_emulator",
    "running_stack",
    "stack_on_free_ports",
]
