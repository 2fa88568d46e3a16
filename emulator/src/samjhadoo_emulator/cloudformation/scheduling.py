"""Does work on resources in the order of their dependencies, independent ones side by side; cancellation."""

from __future__ import annotations

import asyncio
import graphlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

MOST_AT_ONCE: Final = 16
"""Resources of one stack that are worked on at the same time."""


class Cancellation:
    """Whether an operation is being cancelled, and the tasks that this ends.

    A task is ended while it waits. In the middle of a call of AWS it is not, as the call would be performed
    and nobody would know what it made: its next call ends it (`calls.ResourceApi`).

    Attributes:
        reason: Why the operation is cancelled; empty if it is not.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._tasks: dict[asyncio.Task[bool], int] = {}

    def __bool__(self) -> bool:
        return bool(self.reason)

    def cancel(self, reason: str) -> None:
        """End what is under way; only the first reason counts."""
        if self.reason:
            return
        self.reason = reason
        for task, calls in self._tasks.items():
            if not calls:
                task.cancel()

    def watch(self, task: asyncio.Task[bool]) -> None:
        """End a task when the operation is cancelled."""
        self._tasks[task] = 0
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def call_begins(self) -> None:
        """Note that the current task is in a call.

        Raises:
            asyncio.CancelledError: The operation is being cancelled.
        """
        if self.reason:
            raise asyncio.CancelledError(self.reason)
        self._count(1)

    def call_ends(self) -> None:
        """Note that the current task's call has ended."""
        self._count(-1)

    def _count(self, step: int) -> None:
        task = asyncio.current_task()
        if task in self._tasks:
            self._tasks[task] += step


async def in_order(
    needs: Mapping[str, Collection[str]],
    work: Callable[[str], Awaitable[bool]],
    cancellation: Cancellation,
    *,
    stop_at_failure: bool = True,
) -> set[str]:
    """Do work for each name once it is done for all that the name needs; return the names that failed.

    Args:
        needs: The names, each with those that have to be done before.
        work: Returns whether it succeeded; it handles the cancellation of its task itself.
        cancellation: Begins no further work once it is set.
        stop_at_failure: Cancel everything else at the first failure. Otherwise only what needs a failed name
            is left out.
    """
    sorter = graphlib.TopologicalSorter({name: set(needed) & needs.keys() for name, needed in needs.items()})
    sorter.prepare()
    failed: set[str] = set()
    running: dict[asyncio.Task[bool], str] = {}
    waiting: list[str] = []
    while sorter.is_active():
        waiting += sorter.get_ready()
        while waiting and len(running) < MOST_AT_ONCE and not cancellation:
            name = waiting.pop(0)
            task = asyncio.ensure_future(work(name))
            running[task] = name
            cancellation.watch(task)
        if not running:
            break
        try:
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            raise
        for task in done:
            name = running.pop(task)
            if task.cancelled():  # before it began
                continue
            if task.result():
                sorter.done(name)
                continue
            failed.add(name)
            if stop_at_failure:
                cancellation.cancel(f"{name} failed")
    return failed
