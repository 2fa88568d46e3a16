"""What a gate found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Whether a deployment may go through.

    A gate answers OK, REFUSED, SKIPPED or UNKNOWN; settings and overrides make the others of them.
    """

    OK = "ok"
    REFUSED = "refused"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    WARNED = "warning"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True)
class Finding:
    """What a gate found, why, and what would help.

    Attributes:
        details: Further lines, one for each thing that was found.

    """

    state: State
    reason: str
    remedy: str = ""
    details: tuple[str, ...] = ()


def ok(reason: str, *, details: tuple[str, ...] = ()) -> Finding:
    """Return that the gate is open."""
    return Finding(State.OK, reason, details=details)


def refused(reason: str, *, remedy: str, details: tuple[str, ...] = ()) -> Finding:
    """Return that the gate is closed, with what opens it."""
    return Finding(State.REFUSED, reason, remedy, details)


def skipped(reason: str) -> Finding:
    """Return that the gate has nothing to say."""
    return Finding(State.SKIPPED, reason)


def unknown(reason: str, *, remedy: str = "") -> Finding:
    """Return that the gate could not look; `gates.on_unknown` decides what becomes of it."""
    return Finding(State.UNKNOWN, reason, remedy)
