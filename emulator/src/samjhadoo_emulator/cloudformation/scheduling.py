"""Does work on resources in the order of their dependencies, independent ones side by side; cancellation."""

from __future__ import annotations

import asyncio
import graphlib
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

MOST_AT_ONCE: Final = 16
"""Resources of one stack that are worked on at the same time."""
TO_TAKE_NOTE: Final = 0.05
"""Real seconds in which cancelled work takes note of what its last call has made."""


@dataclass(eq=False)
class _Work:
    """Work on one resource, and how many calls of AWS it is waiting for."""

    task: asyncio.Task[bool]
    calls: int = 0


_current: ContextVar[_Work | None] = ContextVar("work on a resource", default=None)
"""Tasks that the work itself starts have it, too."""


class Cancellation:
    """Whether an operation is being cancelled, and the work that this ends.

    Work is ended while it waits. In the middle of a call of AWS it is not, as the call would be performed and
    nobody would know what it made: it ends once it waits for something else, or with its next call
    (`calls.ResourceApi`).

    Attributes:
        reason: Why the operation is cancelled; empty if it is not.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._under_way: set[_Work] = set()

    def __bool__(self) -> bool:
        return bool(self.reason)

    def cancel(self, reason: str) -> None:
        """End what is under way; only the first reason counts."""
        if self.reason:
            return
        self.reason = reason
        for work in list(self._under_way):
            _end(work)

    async def perform(self, work: Awaitable[bool]) -> bool:
        """Do work that a cancellation ends, in the current task."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        current = _Work(task)
        _current.set(current)
        self._under_way.add(current)
        try:
            return await work
        finally:
            self._under_way.discard(current)

    def call_begins(self) -> None:
        """Note that the current work is in a call.

        Raises:
            asyncio.CancelledError: The operation is being cancelled.
        """
        if self.reason:
            raise asyncio.CancelledError(self.reason)
        if current := _current.get():
            current.calls += 1

    def call_ends(self) -> None:
        """Note that the call has ended. If the operation is being cancelled, the work may still take note of
        the call's result before it waits for something else.
        """
        if current := _current.get():
            current.calls -= 1
            if self.reason:
                asyncio.get_running_loop().call_later(TO_TAKE_NOTE, _end, current)


def _end(work: _Work) -> None:
    if not work.calls:
        work.task.cancel()


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
            running[asyncio.ensure_future(cancellation.perform(work(name)))] = name
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
