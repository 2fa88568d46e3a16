"""What a gate found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether a deployment may go through."""

    OK = "ok"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What a gate found, why, and what would help."""

    state: State
    reason: str
    remedy: str = ""


def ok(reason: str) -> Finding:
    """Return that the gate is open."""
    return Finding(State.OK, reason)


def refused(reason: str, *, remedy: str) -> Finding:
    """Return that the gate is closed, with what opens it."""
    return Finding(State.REFUSED, reason, remedy)


def skipped(reason: str) -> Finding:
    """Return that the gate has nothing to say."""
    return Finding(State.SKIPPED, reason)
