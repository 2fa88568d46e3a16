"""Tasks of several services that run side by side, each as a process of its own."""

from __future__ import annotations

import queue
import sys
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.task_process import TaskProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    _Events = queue.SimpleQueue[tuple["Worker", dict[str, Any] | None]]

_PAUSE = 0.05
"""Real seconds to wait for events before looking whether a process has ended."""


class Worker(TaskProcess):
    """A task that runs for one service."""

    def __init__(
        self, service: str, task: str, command: Sequence[str], folder: Path, events: _Events
    ) -> None:
        self.service = service
        self.task = task
        super().__init__(
            command, folder, end_with_parent=True, on_event=lambda event: events.put((self, event))
        )

    @property
    def deployment(self) -> str:
        """The ECS service deployment that it has reported; empty before."""
        reported = (
            str(event["deployment"])
            for event in reversed(self.events)
            if event.get("event") in {"deployment", "watching", "result"} and event.get("deployment")
        )
        return next(reported, "")


class WorkerPool:
    """The workers that run; use it from the main thread, which receives signals."""

    def __init__(
        self, folder: Path, command: Sequence[str] = (sys.executable, "-m", "samjhadoo_ops.tasks")
    ) -> None:
        self.workers: list[Worker] = []
        self._folder = folder
        self._command = command
        self._events: _Events = queue.SimpleQueue()

    def start(self, service: str, task: str, arguments: Sequence[str]) -> Worker:
        """Start a task; it is stopped if this process is killed."""
        command = [*self._command, task, "--service", service, "--json", *arguments]
        worker = Worker(service, task, command, self._folder, self._events)
        self.workers.append(worker)
        return worker

    def listen(self) -> Iterator[tuple[Worker, dict[str, Any] | None]]:
        """Wait a moment; yield the workers' events, and None for a worker that has ended."""
        yield from self._received(_PAUSE)
        for worker in [each for each in self.workers if each.code is not None]:
            worker.read_rest()
            yield from self._received()
            self.workers.remove(worker)
            yield worker, None

    def signal(self, signum: int, worker: Worker | None = None) -> None:
        """Send a signal to one worker, or to all."""
        for each in [worker] if worker else self.workers:
            each.signal(signum)

    def _received(self, timeout: float = 0.0) -> Iterator[tuple[Worker, dict[str, Any]]]:
        """Yield the events received so far, after waiting for the first one."""
        try:
            worker, event = self._events.get(timeout=timeout) if timeout else self._events.get_nowait()
            while True:
                if event is not None:
                    yield worker, event
                worker, event = self._events.get_nowait()
        except queue.Empty:
            return
