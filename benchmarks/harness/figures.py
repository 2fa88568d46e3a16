"""Figures beside their targets, and latencies taken while something else goes on."""

from __future__ import annotations

import contextlib
import statistics
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def row(name: str, value: float, unit: str, target: str = "", *, digits: int = 1) -> None:
    """Print a figure, with its target if it has one."""
    print(f"{name:58}{value:12,.{digits}f} {unit:14}{target and f'target {target}'}", flush=True)


def percentile(values: list[float], percent: float) -> float:
    """Return a percentile of at least two values."""
    return statistics.quantiles(values, n=1000, method="inclusive")[round(percent * 10) - 1]


def latency_rows(name: str, milliseconds: list[float], target: str = "") -> None:
    """Print the median and the 99th percentile of latencies."""
    row(f"{name}, p50 of {len(milliseconds)}", percentile(milliseconds, 50), "ms")
    row(f"{name}, p99", percentile(milliseconds, 99), "ms", target)


@contextlib.contextmanager
def sampling(questions: dict[str, Callable[[], object]], *, every: float) -> Iterator[dict[str, list[float]]]:
    """Ask each question again and again while the block runs; give the latencies in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in questions}
    ended = threading.Event()
    errors: list[Exception] = []

    def ask() -> None:
        try:
            while not ended.is_set():
                for name, question in questions.items():
                    began = time.perf_counter()
                    question()
                    found[name].append((time.perf_counter() - began) * 1000)
                    ended.wait(every)
        except Exception as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
    if errors:
        raise errors[0]
