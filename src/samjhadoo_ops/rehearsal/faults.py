"""Faults on request: those of the emulator, and a database that hangs as if its machine had stopped."""

from __future__ import annotations

import os
import signal
import urllib.request
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Self

import msgspec

from samjhadoo_ops import stack
from samjhadoo_ops.aws import local_login
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.environment import Environment

NAME = "postgres"


class EmulatorFaults:
    """The emulator's faults; those that were added end with the block."""

    def __init__(self, edge: str, env: Environment) -> None:
        self._url = f"{edge}/_emulator/faults"
        # What the control endpoint asks for, so that no web page can make changes, and the stack's key.
        self._headers = {
            "X-Emulator-Control": "1",
            "Content-Type": "application/json",
            "Authorization": local_login(env.root),
        }
        self._names = {"service": env.service.name, "cluster": env.service.cluster}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """End all faults."""
        self._request("DELETE", None)

    def add(self, fault: dict[str, Any]) -> None:
        """Add a fault; raise `OpsError` if the emulator refuses it."""
        filled = {
            key: value.format_map(self._names) if isinstance(value, str) else value
            for key, value in fault.items()
        }
        self._request("POST", filled)

    def _request(self, method: str, document: Any) -> None:
        content = None if document is None else msgspec.json.encode(document)
        request = urllib.request.Request(self._url, data=content, headers=self._headers, method=method)  # noqa: S310 - the edge is ours
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                answer.read()
        except OSError as error:
            body = error.read().decode(errors="replace") if hasattr(error, "read") else ""
            raise OpsError(f"the emulator refused the fault {document}: {error} {body}") from error


class DatabaseFreezer:
    """Stops the stack's PostgreSQL, a process or a container, and resumes it when the block ends."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._thaw: Callable[[], None] = _nothing

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
