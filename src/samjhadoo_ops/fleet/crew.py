"""Verbs that run side by side, each a process of its own, and what they say."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_READ = 1 << 16
_LOOK = 0.2
"""Real seconds between two looks whether a process has ended: a grandchild may hold its output open."""


@dataclass(eq=False)
class Worker:
    """A verb that runs for one service.

    Attributes:
        deployment: The service deployment of ECS that it has told of; empty before.
        result: The fields of its result; empty before.
        code: Its exit code, negative when it was killed; None while it runs.

    """

    service: str
    verb: str
    process: subprocess.Popen[bytes]
    deployment: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    code: int | None = None
    rest: bytes = b""

    def hear(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """Take output; yield what its whole lines say."""
        *lines, self.rest = (self.rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield self._understand(line)

    def _understand(self, line: bytes) -> dict[str, Any]:
        try:
            said = json.loads(line)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            return {"event": "output", "message": line.decode(errors="replace")}
        if said.get("event") in {"deployment", "watching", "result"} and said.get("deployment"):
            self.deployment = str(said["deployment"])
        if said.get("event") == "result":
            self.result = said
        return said


class Crew:
    """The workers that run; to be used from the main thread, which signals reach.

    Args:
        folder: Where they run: the project's root.
        command: What runs a verb.

    """

    def __init__(
        self, folder: Path, command: Sequence[str] = (sys.executable, "-m", "samjhadoo_ops.tasks")
    ) -> None:
        self.workers: list[Worker] = []
        self._folder = folder
        self._command = command
        self._selector = selectors.DefaultSelector()

    def start(self, service: str, verb: str, arguments: Sequence[str]) -> Worker:
        """Start a verb in a process group of its own; when this process is killed, it is asked to end."""
        process = subprocess.Popen(
            [*self._command, verb, "--service", service, "--json", *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            process_group=0,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - there are no other threads here
        )
        worker = Worker(service, verb, process)
        self.workers.append(worker)
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, worker)
        return worker

    def listen(self) -> Iterator[tuple[Worker, dict[str, Any] | None]]:
        """Wait a moment; yield what workers say, and None for one that has ended."""
        for key, _ in self._selector.select(_LOOK):
            worker: Worker = key.data
            chunk = _read(worker)
            if chunk == b"":
                self._selector.unregister(key.fileobj)
            yield from ((worker, said) for said in worker.hear(chunk or b""))
        for worker in list(self.workers):
            if worker.process.poll() is not None:
                yield from ((worker, said) for said in self._part(worker))
                yield worker, None

    def signal(self, signum: int, worker: Worker | None = None) -> None:
        """Send a signal to a worker, or to all."""
        for each in [worker] if worker else self.workers:
            with suppress(ProcessLookupError):
                each.process.send_signal(signum)

    def _part(self, worker: Worker) -> Iterator[dict[str, Any]]:
        """Hear a worker's last words and let it go."""
        while chunk := _read(worker):
            yield from worker.hear(chunk)
        if worker.rest:
            yield from worker.hear(b"\n")
        assert worker.process.stdout is not None  # noqa: S101 - it is a pipe
        with suppress(KeyError):
            self._selector.unregister(worker.process.stdout)
        worker.process.stdout.close()
        worker.code = worker.process.returncode
        self.workers.remove(worker)


def _read(worker: Worker) -> bytes | None:
    """Return what there is to read now; None for nothing yet, empty for nothing any more."""
    assert worker.process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        return os.read(worker.process.stdout.fileno(), _READ)
    except BlockingIOError:
        return None
