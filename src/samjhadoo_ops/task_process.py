"""A task that runs as a process of its own with `--json`, and whose output is read while it runs."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

LONGEST = 600.0
"""Real seconds after which a task that has not ended is killed."""

_LAST_OUTPUT = 5.0
"""Real seconds to wait for the end of its output, which a process that it started may hold open."""


class TaskProcess:
    """A running task.

    Args:
        folder: Its working directory.
        variables: Its environment variables; by default those of this process.
        read_errors: Whether to read its standard error, too, rather than leave it on the terminal.
        end_with_parent: Whether to ask it to end when the thread that starts it ends (Linux only).
        on_event: Called from other threads with each event, and with None at the end of the output.

    Attributes:
        events: The JSON objects that it printed; another line is `{"event": "output", "message": line}`.
        result: Its result; empty before it has printed one.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        variables: Mapping[str, str] | None = None,
        read_errors: bool = False,
        end_with_parent: bool = False,
        on_event: Callable[[dict[str, Any] | None], None] = lambda _: None,
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.result: dict[str, Any] = {}
        self._command = list(command)
        self._errors: list[str] = []
        self._on_event = on_event
        self._process = subprocess.Popen(
            self._command,
            cwd=folder,
            env=None if variables is None else dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if read_errors else None,
            text=True,
            encoding="utf-8",
            errors="replace",
            process_group=0,  # a signal from the terminal reaches it through us alone
            # Between fork and exec it calls the kernel only, so other threads do no harm.
            preexec_fn=die_with_parent(signal.SIGTERM) if end_with_parent else None,  # noqa: PLW1509
        )
        self._readers = [
            threading.Thread(target=read, args=(pipe,), daemon=True)
            for read, pipe in (
                (self._read_events, self._process.stdout),
                (self._read_errors, self._process.stderr),
            )
            if pipe
        ]
        for reader in self._readers:
            reader.start()

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs, negative when a signal ended it."""
        return self._process.poll()

    @property
    def output(self) -> str:
        """All its messages and details, and its standard error if that is read."""
        lines = [str(each.get("message", "")) for each in self.events]
        details = [str(detail) for each in self.events for detail in each.get("details", ())]
        return "\n".join([*lines, *details, *self._errors])

    def has_event(self, name: str) -> bool:
        """Return whether it has printed an event of this name."""
        return any(each.get("event") == name for each in self.events)

    def signal(self, signum: int) -> None:
        """Send it a signal, unless it has ended."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signum)

    def wait(self, seconds: float = LONGEST) -> int:
        """Wait until it ends and return its exit code; raise `OpsError` if it does not and is killed."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise OpsError(
                f"`{' '.join(self._command)}` had not ended after {seconds:g} s and was killed",
                details=tuple(self.output.splitlines()[-20:]),
            ) from None
        self.read_rest()
        return self._process.returncode

    def read_rest(self) -> None:
        """Wait until the output of the ended task has been read."""
        for reader in self._readers:
            reader.join(_LAST_OUTPUT)

    def _read_events(self, output: IO[str]) -> None:
        with output:
            for line in filter(str.strip, output):
                event = _parse(line)
                if event.get("event") == "result":
                    self.result = event
                self.events.append(event)
                self._on_event(event)
        self._on_event(None)

    def _read_errors(self, output: IO[str]) -> None:
        with output:
            self._errors.extend(line.rstrip("\n") for line in output)


def _parse(line: str) -> dict[str, Any]:
    with suppress(ValueError):
        document = json.loads(line)
        if isinstance(document, dict):
            return document
    return {"event": "output", "message": line.rstrip("\n")}
