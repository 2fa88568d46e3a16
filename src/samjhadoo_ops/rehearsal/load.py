"""Requests at a steady rate, with a record of every failure."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import urllib3

THREADS = 8
PATIENCE = 30.0
"""Real seconds to wait for an answer."""
SERVER_ERROR = 500


@dataclass(frozen=True)
class FailedRequest:
    """A request that failed: when (Unix time) and how."""

    at: float
    reason: str


@dataclass
class LoadGenerator:
    """Sends `rate` GET requests per real second while the block runs."""

    url: str
    rate: float
    answered: int = 0
    failures: list[FailedRequest] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._counting = threading.Lock()
        self._threads = [
            threading.Thread(target=self._run, args=(index,), name=f"load {index}", daemon=True)
            for index in range(THREADS if self.rate else 0)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> int:
        """How many requests have been answered or have failed."""
        return self.answered + len(self.failures)

    def _run(self, index: int) -> None:
        import urllib3

        http = urllib3.PoolManager(retries=False, timeout=PATIENCE)
        due = time.monotonic() + index / self.rate
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + THREADS / self.rate, time.monotonic())
            reason = self._request(http)
            with self._counting:
                if reason:
                    self.failures.append(FailedRequest(time.time(), reason))
                else:
                    self.answered += 1

    def _request(self, http: urllib3.PoolManager) -> str:
        import urllib3

        try:
            status = http.request("GET", self.url).status
        except urllib3.exceptions.HTTPError as error:
            return f"{type(error).__name__}: {error}"
        return f"HTTP {status}" if status >= SERVER_ERROR else ""
