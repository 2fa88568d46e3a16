"""Requests that the tool sends to the new release through the test listener when there are too few others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.verdict.counts import OwnTraffic

_SERVER_FAULT = 500
_AT_ONCE = 4


class SyntheticTraffic:
    """Sends GET requests to one address in the background and notes how each ended.

    Args:
        count: How many.
        timeout: Real seconds to wait for an answer; none within it is an error.
        slow_above: Real seconds above which an answer is slow.
        pause: Real seconds between two requests of each sender.

    """

    def __init__(
        self,
        url: str,
        own: OwnTraffic,
        *,
        clock: Clock,
        count: int,
        timeout: float,
        slow_above: float,
        pause: float,
    ) -> None:
        self._url = url
        self._own = own
        self._clock = clock
        self._count = count
        self._timeout = timeout
        self._slow_above = slow_above
        self._pause = pause
        self._done = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin; starting twice is starting once."""
        if self._threads:
            return
        shares = [self._count // _AT_ONCE + (number < self._count % _AT_ONCE) for number in range(_AT_ONCE)]
        self._threads = [
            threading.Thread(target=self._send, args=(share,), name="synthetic traffic", daemon=True)
            for share in shares
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a request under way is not waited for."""
        self._done.set()

    def _send(self, count: int) -> None:
        import urllib3

        pool = urllib3.PoolManager(retries=False, timeout=self._timeout)
        for _ in range(count):
            if self._done.is_set():
                return
            began = self._clock.read()
            try:
                failed = pool.request("GET", self._url).status >= _SERVER_FAULT
            except urllib3.exceptions.HTTPError:
                failed = True
            slow = self._clock.read() - began > self._slow_above
            self._own.note(self._clock.timestamp(), error=failed, slow=slow, synthetic=True)
            self._done.wait(self._pause)
