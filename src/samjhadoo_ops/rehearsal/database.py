"""A database that hangs: all its processes are stopped, as if its machine had stopped."""

from __future__ import annotations

import os
import signal
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Self

from samjhadoo_ops import stack
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from samjhadoo_ops.environment import Environment

NAME = "postgres"


class DatabaseFreezer:
    """Stops the stack's PostgreSQL, a process or a container, and resumes it when the block ends."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._thaw: Callable[[], None] = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw()

    def freeze(self) -> None:
        """Stop it, so that connections stay open but nothing answers; raise `OpsError` if there is none."""
        status = stack.status(self._env)
        contained = [each.id for each in status.containers if each.name == NAME]
        running = [each.pid for each in status.processes if each.name == NAME]
        if contained:
            self._thaw = _pause(contained[0])
        elif running:
            self._thaw = _stop(running[0])
        else:
            raise OpsError("the stack has no PostgreSQL to freeze")

    def thaw(self) -> None:
        """Resume it; nothing happens if it was not stopped."""
        thaw, self._thaw = self._thaw, _nothing
        thaw()


def _nothing() -> None:
    """Do nothing."""


def _stop(postmaster: int) -> Callable[[], None]:
    """Stop a server and its sessions; return the function that resumes them."""
    import psutil

    process = psutil.Process(postmaster)
    stopped = [process.pid, *(child.pid for child in process.children(recursive=True))]

    def signal_all(signum: signal.Signals) -> None:
        for pid in stopped:
            with suppress(ProcessLookupError):  # a session that ended meanwhile
                os.kill(pid, signum)

    signal_all(signal.SIGSTOP)
    return lambda: signal_all(signal.SIGCONT)


def _pause(container: str) -> Callable[[], None]:
    """Pause a container; return the function that resumes it."""
    from docker.errors import DockerException

    from samjhadoo_ops import engine

    client = engine.connect()
    try:
        client.containers.get(container).pause()
    except DockerException as error:
        client.close()
        raise OpsError(f"the database's container cannot be paused: {error}") from error

    def resume() -> None:
        with closing(client), suppress(DockerException):  # the stack may have ended meanwhile
            client.containers.get(container).unpause()

    return resume
