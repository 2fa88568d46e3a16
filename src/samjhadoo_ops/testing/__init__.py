"""A whole local stack, of either kind, for a project's tests: `running_stack`.

With pytest, use the fixture `local_stack` (`samjhadoo_ops.testing.plugin`). It needs the extra `local`. For
tests that need only the local AWS, see `samjhadoo_emulator.testing`.
"""

from __future__ import annotations

from samjhadoo_ops.testing.stack import LocalStack, running_stack, stack_on_free_ports

__all__ = ["LocalStack", "running_stack", "stack_on_free_ports"]
