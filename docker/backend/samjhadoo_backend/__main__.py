"""Start the service: `python -m samjhadoo_backend`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from samjhadoo_backend import log
from samjhadoo_backend.settings import SettingError, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

KEEP_ALIVE = 75
"""Seconds that an idle connection is kept: longer than a load balancer's 60, so that it never sends a
request on a connection that is being closed (ELB guide, "HTTP 502")."""


def main() -> int:
    """Serve until SIGTERM, and return the exit code."""
    try:
        settings = Settings.read(os.environ)
    except SettingError as error:
        log.event("bad-setting", level="error", reason=str(error))
        return 2
    crash = settings.faults.crash_after
    if crash is not None:
        _crash(crash, settings.faults.crash_code)
    asyncio.run(serve(settings))
    return 0


def _crash(seconds: float, code: int) -> None:
    def exit_now() -> None:
        log.event("crash", level="error", reason="FAULT_CRASH_AFTER", exit_code=code)
        os._exit(code)

    if seconds == 0:
        exit_now()
    timer = threading.Timer(seconds, exit_now)
    timer.daemon = True
    timer.start()


async def _stopped_within(seconds: float) -> bool:
    """Wait, and return whether SIGTERM or SIGINT came meanwhile.

    As process 1 of a container a program gets no default handler: it would not end before SIGKILL.
    """
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        async with asyncio.timeout(seconds):
            await stopped.wait()
    except TimeoutError:
        return False
    return True


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then let requests in flight finish."""
    # After the settings: a wrong one is told without waiting for these.
    import uvicorn

    from samjhadoo_backend.app import Backend

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Stop on a signal, without raising it again afterwards: an ordered stop exits 0."""
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.handle_exit, number, None)
            yield

    if settings.faults.slow_start:
        log.event("slow-start", seconds=settings.faults.slow_start)
        if await _stopped_within(settings.faults.slow_start):
            log.event("stopped", requests=0)
            return
    backend = Backend.of(settings)
    server = Server(
        uvicorn.Config(
            backend.app(),
            host=settings.address,
            port=settings.port,
            lifespan="off",
            http="h11",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            headers=[("X-Version", settings.version)],
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=int(settings.stop_timeout),
        )
    )
    log.event("started", version=settings.version, address=settings.address, port=settings.port)
    try:
        await server.serve()
    finally:
        await backend.close()
        log.event("stopped", requests=server.server_state.total_requests)


if __name__ == "__main__":
    sys.exit(main())
