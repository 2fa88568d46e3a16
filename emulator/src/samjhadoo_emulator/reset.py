"""Resets of a running emulator to the state of a fresh start; see `Edge.reset`.

What is under way ends first: new requests wait, those that are being served are answered, and every live
service stops what it does. Only then is anything forgotten, so that no answer, task or deployment from before
shows up afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.identify import is_own

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from samjhadoo_emulator.exchange import Exchange, Proceed

log = logging.getLogger(__name__)

PATHS = ("/_emulator/reset", "/moto-api/reset", "/_localstack/state/reset", "/_ministack/reset")
"""The others are those of upstreams, which their users know."""
LONGEST_REQUEST = 2.0
"""Real seconds that a request gets to be answered before a reset breaks it off."""
LONGEST_CALL = 10.0
"""Real seconds that the services' own calls get to end: they cannot be broken off."""
OF_TASKS = ("logs", "tasks")
"""What tasks leave in the data folder; pulled images stay, as they do on a host."""


class Requests:
    """The requests that are being served; while a reset is under way, new ones wait."""

    def __init__(self) -> None:
        self._clients: set[asyncio.Task[None]] = set()
        self._own: set[asyncio.Task[None]] = set()
        self._admitted = asyncio.Event()
        self._admitted.set()

    @asynccontextmanager
    async def serving(self, *, own: bool) -> AsyncIterator[None]:
        """Count the request that the current task serves; the emulator's own never wait."""
        while not (own or self._admitted.is_set()):
            await self._admitted.wait()
        task, kind = asyncio.current_task(), self._own if own else self._clients
        assert task is not None  # noqa: S101 - coroutines run in tasks
        kind.add(task)
        try:
            yield
        finally:
            kind.discard(task)

    @asynccontextmanager
    async def held_back(self) -> AsyncIterator[None]:
        """Answer what clients have asked for so far, and let further requests wait until the block ends."""
        self._admitted.clear()
        try:
            for task in await _unfinished(self._clients, LONGEST_REQUEST):
                task.cancel()
            await _unfinished(self._clients, LONGEST_REQUEST)
            yield
        finally:
            self._admitted.set()

    async def own_calls(self) -> None:
        """Wait for the calls that live services had begun."""
        if await _unfinished(self._own, LONGEST_CALL):
            log.warning("%d calls of live services have not ended before the reset", len(self._own))


class Resets:
    """Performs the resets that clients request, and lets other requests pass between them.

    Args:
        requests: The requests that are being served.
        reset: Resets everything; raises AwsError if that fails.
    """

    def __init__(self, requests: Requests, reset: Callable[[], Awaitable[None]]) -> None:
        self._requests = requests
        self._reset = reset
        self._one_at_a_time = asyncio.Lock()

    async def handle(self, exchange: Exchange, proceed: Proceed) -> None:
        """Reset, or hand a request to the next handler."""
        if exchange.scope["path"] in PATHS:
            response = await self._answer(exchange.scope["method"])
            await response(exchange.scope, exchange.receive, exchange.send)
            return
        async with self._requests.serving(own=is_own(exchange.headers)):
            await proceed(exchange)

    async def _answer(self, method: str) -> JSONResponse:
        if method != "POST":
            return JSONResponse(
                {"message": "A reset needs POST."}, status_code=405, headers={"Allow": "POST"}
            )
        try:
            async with self._one_at_a_time, self._requests.held_back():
                await self._reset()
        except AwsError as error:
            return JSONResponse({"message": str(error)}, status_code=error.status)
        return JSONResponse({"status": "ok"})


def remove_task_files(folder: Path) -> None:
    """Remove what tasks have left in the data folder."""
    for name in OF_TASKS:
        shutil.rmtree(folder / name, ignore_errors=True)


async def _unfinished(tasks: set[asyncio.Task[None]], within: float) -> list[asyncio.Task[None]]:
    """Return the tasks that have not left a set within some real seconds."""
    deadline = asyncio.get_running_loop().time() + within
    while tasks and (left := deadline - asyncio.get_running_loop().time()) > 0:
        await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
    return list(tasks)
