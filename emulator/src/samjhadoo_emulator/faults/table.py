"""Which faults are in force, and which of them strike a call. No I/O; chance comes from seeds."""

from __future__ import annotations

import itertools
import math
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.faults.kinds import Disturbance, Fault, LateMetrics, MissedAlarms, document_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass
class Entry:
    """A fault in force.

    Attributes:
        seen: Calls that matched.
        struck: Calls (or tasks) that it struck.
        undo: Ends what the fault did when it is removed.
    """

    id: str
    fault: Fault
    chance: random.Random
    seen: int = 0
    struck: int = 0
    undo: Callable[[], None] = lambda: None

    def document(self) -> dict[str, Any]:
        """Return what the control endpoint shows."""
        return {"id": self.id, **document_of(self.fault), "struck": self.struck}


@dataclass
class FaultTable:
    """The faults in force, oldest first."""

    entries: dict[str, Entry] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1), repr=False)

    def __bool__(self) -> bool:
        return bool(self.entries)

    def add(self, fault: Fault, *, undo: Callable[[], None] = lambda: None, struck: int = 0) -> Entry:
        """Put a fault in force."""
        seed = getattr(fault, "seed", None)
        entry = Entry(f"fault-{next(self._numbers)}", fault, random.Random(seed), undo=undo, struck=struck)  # noqa: S311
        self.entries[entry.id] = entry
        return entry

    def remove(self, fault_id: str) -> bool:
        """End a fault; return whether it was in force."""
        entry = self.entries.pop(fault_id, None)
        if entry is not None:
            entry.undo()
        return entry is not None

    def clear(self) -> None:
        """End every fault."""
        for fault_id in list(self.entries):
            self.remove(fault_id)

    def strike(self, service: str, operation: str, *, callers: str = "clients") -> list[Disturbance]:
        """Return the faults that strike this call, and count it; a fault that is used up is over."""
        return self._struck(lambda fault: _matches(fault, service, operation, callers))

    def _struck(self, matches: Callable[[Disturbance], bool]) -> list[Disturbance]:
        found: list[Disturbance] = []
        for entry in list(self.entries.values()):
            fault = entry.fault
            if not isinstance(fault, Disturbance) or not matches(fault):
                continue
            if _strikes(entry, fault):
                found.append(fault)
                if entry.struck == fault.count:
                    del self.entries[entry.id]
        return found

    def alarms_missed(self) -> bool:
        """Return whether ECS misses the alarms at this poll."""
        return bool(self.entries) and any(
            isinstance(fault, MissedAlarms) for fault in self.strike("ecs", "PollAlarms", callers="services")
        )

    def metrics_late(self, namespace: str, metric: str) -> float:
        """Return emulated seconds after which a datum can be read: 0 at once, infinity never."""
        if not self.entries:
            return 0.0
        delays = [
            math.inf if fault.minutes is None else fault.minutes * 60
            for fault in self._struck(lambda fault: _delays(fault, namespace, metric))
            if isinstance(fault, LateMetrics)
        ]
        return max(delays, default=0.0)


def _delays(fault: Disturbance, namespace: str, metric: str) -> bool:
    return (
        isinstance(fault, LateMetrics)
        and fault.namespace in ("*", namespace)
        and fault.metric in ("*", metric)
    )


def _matches(fault: Disturbance, service: str, operation: str, callers: str) -> bool:
    return (
        fault.callers == callers and fault.service in ("*", service) and fault.operation in ("*", operation)
    )


def _strikes(entry: Entry, fault: Disturbance) -> bool:
    entry.seen += 1
    if entry.seen <= fault.skip or entry.chance.random() >= fault.rate:
        return False
    entry.struck += 1
    return True


class JumpingTime:
    """The wall clock plus the jumps so far: what the emulated clock reads.

    Attributes:
        offset: Real seconds by which it is ahead.
    """

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset
