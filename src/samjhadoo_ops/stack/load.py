"""Load: GET requests at a constant rate, and a summary of how they were answered."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Self

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    import urllib3

HIGHEST = 1000.0
"""Requests per second that one process can send."""
_THREADS = range(8, 101)
"""A thread for each request of a second, so that slow answers do not lower the rate."""
_ANSWER_TIME = 30.0
"""Real seconds to wait for an answer."""
_SERVER_ERROR = 500
_ADDRESS = re.compile(r" object at 0x[0-9a-f]+")


class LoadGenerator:
    """Sends `rate` GET requests per real second while the block runs; a status below 500 is a success.

    Attributes:
        latencies: Seconds until each answer that was a success.
        failures: How many requests failed for each reason.
    """

    def __init__(self, url: str, rate: float) -> None:
        self.url = url
        self.rate = rate
        self.latencies: list[float] = []
        self.failures: Counter[str] = Counter()
        self._stop = threading.Event()
        self._counting = threading.Lock()
        count = min(max(round(rate), _THREADS.start), _THREADS.stop - 1) if rate else 0
        self._threads = [
            threading.Thread(target=self._run, args=(index, count), name=f"load {index}", daemon=True)
            for index in range(count)
        ]

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._ended = time.monotonic()

    @property
    def requests(self) -> int:
        """How many requests were answered or failed."""
        return len(self.latencies) + self.failures.total()

    def fields(self) -> dict[str, Any]:
        """Return the summary of the load that has ended, as data; the times of answers in milliseconds."""
        times = [1000 * each for each in self.latencies]
        cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
        latency = {"median": cuts[49], "p95": cuts[94], "slowest": max(times)} if times else {}
        return {
            "requests": self.requests,
            "failed": self.failures.total(),
            "failures": dict(self.failures.most_common()),
            "seconds": round(self._ended - self._began, 1),
            "milliseconds": {key: round(value, 1) for key, value in latency.items()},
        }

    def sentence(self) -> str:
        """Return the summary for people."""
        found = self.fields()
        text = f"{found['requests']} requests in {found['seconds']:g} s, {found['failed'] or 'none'} failed"
        text += "".join(f"; {count} of them: {reason}" for reason, count in self.failures.most_common(3))
        if latency := found["milliseconds"]:
            median, late, slowest = (f"{latency[key]:.0f} ms" for key in ("median", "p95", "slowest"))
            text += f"; answered in {median} (median), {late} (95 %), {slowest} (slowest)"
        return text

    def _run(self, index: int, threads: int) -> None:
        import urllib3

        http = urllib3.PoolManager(retries=False, timeout=_ANSWER_TIME)
        due = time.monotonic() + index / self.rate
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            due = max(due + threads / self.rate, time.monotonic())
            began = time.monotonic()
            reason = self._request(http)
            with self._counting:
                if reason:
                    self.failures[reason] += 1
                else:
                    self.latencies.append(time.monotonic() - began)

    def _request(self, http: urllib3.PoolManager) -> str:
        import urllib3

        try:
            status = http.request("GET", self.url).status
        except urllib3.exceptions.HTTPError as error:
            return f"{type(error).__name__}: {_ADDRESS.sub('', str(error))}"
        return f"HTTP {status}" if status >= _SERVER_ERROR else ""

    def answers(self) -> bool:
        """Return whether one request, which is not counted, is a success."""
        import urllib3

        return not self._request(urllib3.PoolManager(retries=False, timeout=_ANSWER_TIME))


def check_rate(option: str, rate: float) -> None:
    """Check a rate in an option; raise `ConfigurationError` if it is not possible."""
    if not 0 < rate <= HIGHEST:
        raise ConfigurationError(f"{option} {rate:g}: expected more than 0 and at most {HIGHEST:g}")
