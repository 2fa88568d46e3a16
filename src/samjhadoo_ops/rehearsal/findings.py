"""Pure functions that compare what was observed with what was expected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from samjhadoo_ops.environment.duration import Duration
    from samjhadoo_ops.rehearsal.observer import ServiceState
    from samjhadoo_ops.rehearsal.scenario import Expected

_WHOLE = 99.9
"""The percentage of traffic that counts as all of it."""


@dataclass(frozen=True)
class Observed:
    """How a scenario ended.

    Attributes:
        exit_code: The deploy's exit code; negative when a signal ended it.
        result: The exit code in its result event; None without one.
        output: Everything that it printed.
        service: The traffic and tasks at the end.
        old: The task definition that served before.
        lock: The lock's owner; empty when it is free.
        unfinished: Deploys whose ending is missing in the journal.
        requests: How many requests were answered or failed.
        failed: How many of them failed.
        detect: Time from the fault until the rollback was requested, on the emulated clock.
        restore: Time from the fault until the old release had all traffic again.
        failures: The different ways in which requests failed.
    """

    exit_code: int | None
    result: int | None
    outcome: str
    output: str
    service: ServiceState
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
    def release(self) -> str:
        """Which release has all traffic: `new` or `old`; else `split` or `nobody`."""
        whole = [definition for definition, share in self.service.shares.items() if share >= _WHOLE]
        if len(whole) != 1:
            return "split" if self.service.shares else "nobody"
        return "old" if whole[0] == self.old else "new"


def findings(expected: Expected, observed: Observed) -> list[str]:
    """Return what is not as expected, one sentence each; empty when the scenario passed."""
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
            found.append(
                f"the result event has exit code {observed.result}, the process {observed.exit_code}"
            )
    if expected.outcome and not re.fullmatch(expected.outcome, observed.outcome):
        found.append(f"outcome {observed.outcome!r}, expected {expected.outcome}")
    if expected.output and not re.search(expected.output, observed.output, re.IGNORECASE):
        found.append(f"the deploy's output does not match {expected.output!r}")
    return found


def _service(expected: Expected, observed: Observed) -> list[str]:
    found = []
    service = observed.service
    if observed.release != expected.serving:
        shares = ", ".join(f"{name.rpartition('/')[2]} {share:g} %" for name, share in service.shares.items())
        found.append(
            f"production traffic: {observed.release} ({shares or 'none'}), expected {expected.serving}"
        )
    if service.ongoing:
        found.append(f"deployments still running: {', '.join(service.ongoing)}")
    if sum(service.running.values()) != service.desired or len(service.running) != 1:
        found.append(f"{service.running} tasks run, {service.desired} are desired")
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
        found.append(f"the lock is still held: {observed.lock}")
    if observed.unfinished and expected.lock == "free":
        found.append(f"the journal has no ending of {', '.join(observed.unfinished)}")
    return found
