"""Letting a step that must not be torn in two end before an interrupt is delivered."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def held_back() -> Iterator[Callable[[], None]]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the block ends, or until what it yields is called.

    A second signal is not held back: it is delivered at once. When the block fails, its error
    matters more than the signal. Outside of the main thread, which no signal reaches, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    held: list[int] = []
    before: dict[int, Callable[[int, Any], Any]] = {}

    def hold(signum: int, frame: Any) -> None:
        held.append(signum)
        if len(held) > 1:
            before[signum](signum, frame)

    def restore() -> None:
        for signum, handler in before.items():
            signal.signal(signum, handler)

    def deliver() -> None:
        restore()
        if held:
            signum, held[:] = held[0], []
            before[signum](signum, None)

    for signum in _handled():
        before[signum] = signal.signal(signum, hold)  # type: ignore[assignment]
    try:
        yield deliver
    except BaseException:
        restore()
        raise
    deliver()


def _handled() -> list[int]:
    """Return the signals that have a handler here; an ignored one stays ignored."""
    signals = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    return [signum for signum in signals if callable(signal.getsignal(signum))]
