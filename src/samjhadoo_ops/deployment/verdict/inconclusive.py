"""What to do when nothing can be said: the policies of the settings, in their order. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class Step(Enum):
    """What to do next."""

    WAIT = auto()
    SEND = auto()
    ASK = auto()
    ROLLBACK = auto()
    CONTINUE = auto()


_LAST = {"ask": Step.ASK, "rollback": Step.ROLLBACK, "continue": Step.CONTINUE}


@dataclass(frozen=True)
class Situation:
    """How far a canary is; seconds on the clock.

    Attributes:
        elapsed: Since it got traffic.
        observed: How long it is to be observed, until its last counts have come.
        extend: How much longer it may be.
        left: Until the gate rolls back by itself; None while the gate isn't open.
        margin: What must be left of that to act.
        sent: Synthetic requests sent.
        to_send: Of how many.

    """

    elapsed: float
    observed: float
    extend: float
    left: float | None
    margin: float
    sent: int
    to_send: int

    @property
    def late(self) -> bool:
        """Tell whether the gate is about to roll back by itself."""
        return self.left is not None and self.left <= self.margin


def next_step(policies: Sequence[str], situation: Situation) -> Step:
    """Return what to do in a situation in which nothing can be said."""
    deadline = situation.observed
    if situation.elapsed < deadline:
        return Step.WAIT
    for policy in policies:
        if policy in _LAST:
            return _LAST[policy]
        if situation.late:
            continue
        if policy == "extend":
            deadline += situation.extend
            if situation.elapsed < deadline:
                return Step.WAIT
        elif policy == "synthetic" and situation.sent < situation.to_send:
            return Step.SEND
    return Step.ASK
