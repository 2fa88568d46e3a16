from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.deployment.interrupts import held_back

if TYPE_CHECKING:
    from collections.abc import Callable


def run(*steps: Callable[[Callable[[], None]], object]) -> None:
    with held_back() as deliver:
        for step in steps:
            step(deliver)


def interrupt(_deliver: Callable[[], None]) -> None:
    signal.raise_signal(signal.SIGINT)


def fail(_deliver: Callable[[], None]) -> None:
    raise ValueError("wrong")


def test_a_signal_in_the_block_is_delivered_when_it_ends():
    done = []
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, done.append)
    assert len(done) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_signal_in_the_block_is_delivered_when_asked_for():
    before, after = [], []
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, before.append, lambda deliver: deliver(), after.append)
    assert (len(before), len(after)) == (1, 0)


def test_after_delivery_signals_are_delivered_at_once():
    after = []
    with pytest.raises(KeyboardInterrupt):
        run(lambda deliver: deliver(), interrupt, after.append)
    assert after == []


def test_a_second_signal_is_not_held_back():
    after = []
    with pytest.raises(KeyboardInterrupt):
        run(interrupt, interrupt, after.append)
    assert after == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_error_of_the_block_matters_more_than_the_signal():
    with pytest.raises(ValueError, match="wrong"):
        run(interrupt, fail)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with held_back():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_are_let_through():
    done = []

    def step():
        with held_back() as deliver:
            deliver()
            done.append("the step")

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    assert done == ["the step"]
