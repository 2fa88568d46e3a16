"""A database that hangs: its processes are stopped, as when its machine is."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Self

from samjhadoo_ops import stack
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from types import TracebackType

    from samjhadoo_ops.environment import Environment


class Freezer:
    """Stops the processes of the stack's PostgreSQL; they go on when the block ends."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._frozen: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw()

    def freeze(self) -> None:
        """Stop it: connections stay open, nothing is answered.

        Raises:
            OpsError: The stack has no process of that name.

        """
        import psutil

        found = [each.pid for each in stack.status(self._env).processes if each.name == "postgres"]
        if not found:
            raise OpsError("the stack has no process called postgres to freeze")
        postmaster = psutil.Process(found[0])
        self._frozen = [postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))]
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on; nothing happens when it was not stopped."""
        self._signal(signal.SIGCONT)
        self._frozen = []

    def _signal(self, signum: signal.Signals) -> None:
        for pid in self._frozen:
            try:
                os.kill(pid, signum)
            except ProcessLookupError:
                continue  # a session that ended meanwhile
