"""Sending a request that must not be carried out twice.

A client that repeats UpdateService after a lost response starts a second deployment. So such requests
are sent without botocore's retries: a throttled one was not carried out and is sent again; after any
answer that leaves this open, what AWS shows decides.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from samjhadoo_ops.deployment.passing import passes, throttled

if TYPE_CHECKING:
    from collections.abc import Callable

Answer = TypeVar("Answer")
TRIES = 8
LOOKS = 3
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0


def send_once(
    send: Callable[[], Answer],
    look: Callable[[], Answer | None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Answer:
    """Send a request until it was carried out, once.

    Args:
        send: Sends it, once.
        look: Returns what the request brings about when AWS shows it, else None.
        wait: Sleeps for real seconds.

    Raises:
        Exception: What the last try raised.

    """
    in_doubt = False
    for attempt in range(TRIES):
        try:
            return send()
        except Exception as error:
            in_doubt = in_doubt or (passes(error) and not throttled(error))
            # A refusal after a lost answer may be of the repetition: the first may have been carried out.
            found = _look_again(look, wait) if in_doubt else None
            if found is not None:
                return found
            if not passes(error) or attempt + 1 == TRIES:
                raise
            wait(_pause(attempt))
    raise AssertionError  # the last try returns or raises


def _look_again(look: Callable[[], Answer | None], wait: Callable[[float], None]) -> Answer | None:
    """Look a few times: what was sent may take a moment to show."""
    for attempt in range(LOOKS):
        wait(_pause(attempt))
        found = look()
        if found is not None:
            return found
    return None


def _pause(attempt: int) -> float:
    longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt)
    return longest * random.uniform(0.8, 1.2)  # noqa: S311
