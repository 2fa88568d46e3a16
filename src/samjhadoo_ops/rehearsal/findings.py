"""Expected and observed, compared: pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.environment.duration import Duration
    from samjhadoo_ops.rehearsal.observer import ServiceState
    from samjhadoo_ops.rehearsal.scenario import Expected

_WHOLE = 99.9
"""Percent of the traffic that counts as all of it."""


@dataclass(frozen=True)
class Observed:
    """How a scenario ended.

    Attributes:
        exit_code: Of the deploy; None when it never ended by itself.
        result: The exit code that its result event told; None without one.
        told: All that it told.
        old: The task definition that served before.
        lock: `free`, or the holder.
        lease: Whether the holder of the lock is a process that was killed.
        unfinished: Deploys whose end the journal does not have.
        requests: Requests that ended.
        failed: Requests that failed.
        detect: Seconds from the fault until the rollback was asked for, on the emulated clock.
        restore: Seconds from the fault until the old release had all traffic again.
        steps: What went wrong with the steps.

    """

    exit_code: int | None
    result: int | None
    outcome: str
    told: str
    serving: ServiceState
    old: str
    lock: str
    unfinished: tuple[str, ...]
    requests: int
    failed: int
    detect: Duration | None
    restore: Duration | None
    steps: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()

    @property
    def who(self) -> str:
        """Which release has all traffic: `new`, `old`, or what else is the case."""
        whole = [definition for definition, share in self.serving.shares.items() if share >= _WHOLE]
        if len(whole) != 1:
            return "split" if self.serving.shares else "nobody"
        return "old" if whole[0] == self.old else "new"


def findings(expected: Expected, observed: Observed) -> list[str]:
    """Return what is not as expected, a sentence each; empty when the scenario passed."""
    return [
        *observed.steps,
        *_ending(expected, observed),
        *_service(expected, observed),
        *_traffic(expected, observed),
        *_records(expected, observed),
    ]


def _ending(expected: Expected, observed: Observed) -> list[str]:
    found = []
    if expected.exit_code is not None:
        if observed.exit_code != expected.exit_code:
            found.append(f"exit code {observed.exit_code}, expected {expected.exit_code}")
        if (
            observed.exit_code is not None
            and observed.exit_code >= 0
            and observed.result != observed.exit_code
        ):
            found.append(f"the result event tells exit code {observed.result}, it was {observed.exit_code}")
    if expected.outcome and not re.fullmatch(expected.outcome, observed.outcome):
        found.append(f"outcome {observed.outcome!r}, expected {expected.outcome}")
    if expected.told and not re.search(expected.told, observed.told, re.IGNORECASE):
        found.append(f"it did not tell of {expected.told!r}")
    return found


def _service(expected: Expected, observed: Observed) -> list[str]:
    found = []
    serving = observed.serving
    if observed.who != expected.serving:
        shares = ", ".join(f"{name.rpartition('/')[2]} {share:g} %" for name, share in serving.shares.items())
        found.append(f"{observed.who} serves ({shares or 'nobody'}), expected {expected.serving}")
    if serving.ongoing:
        found.append(f"still under way: {', '.join(serving.ongoing)}")
    if sum(serving.running.values()) != serving.desired or len(serving.running) != 1:
        found.append(f"{serving.running} tasks run, {serving.desired} are desired")
    return found


def _traffic(expected: Expected, observed: Observed) -> list[str]:
    found = []
    share = 100.0 * observed.failed / observed.requests if observed.requests else 0.0
    if share > expected.failed_percent:
        examples = "; ".join(observed.failures[:3])
        found.append(
            f"{observed.failed} of {observed.requests} requests failed ({share:.1f} %, at most "
            f"{expected.failed_percent:g} %): {examples}"
        )
    for name, limit, took in (
        ("detected", expected.detect, observed.detect),
        ("restored", expected.restore, observed.restore),
    ):
        if limit is not None and (took is None or took > limit):
            found.append(f"{name} {'never' if took is None else f'after {took}'}, expected within {limit}")
    return found


def _records(expected: Expected, observed: Observed) -> list[str]:
    found = []
    if observed.lock and expected.lock == "free":
        found.append(f"the lock is held: {observed.lock}")
    if observed.unfinished and expected.lock == "free":
        found.append(f"the journal does not tell how {', '.join(observed.unfinished)} ended")
    return found
