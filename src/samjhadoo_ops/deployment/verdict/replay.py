"""Judging a past deployment again: its minutes from the journal, with the settings of today."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.deployment.verdict.assessment import assess
from samjhadoo_ops.deployment.verdict.counts import Minute
from samjhadoo_ops.deployment.verdict.factory import MINUTES
from samjhadoo_ops.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.deployment.journal import DeploymentJournal, JournalEntry
    from samjhadoo_ops.deployment.outcome import Verdict
    from samjhadoo_ops.deployment.verdict.assessment import Thresholds

_LATEST = 50
COLUMNS = (
    "minute",
    "weight",
    "requests",
    "errors",
    "slow",
    "no answer",
    "baseline",
    "errors beside",
    "synthetic",
    "lost",
    "verdict",
)


def minutes_of(entry: JournalEntry) -> tuple[Minute, ...]:
    """Return what was counted in a deployment; nothing when that was never recorded."""
    found: list[tuple[Minute, ...]] = []
    for event in entry.events:
        if event.event == MINUTES:
            with suppress(msgspec.ValidationError):
                found.append(msgspec.convert(event.data.get("minutes", ()), type=tuple[Minute, ...]))
    # A resumed run counts again from the canary on: the longest record contains the others.
    return max(found, key=len, default=())


def find(journal: DeploymentJournal, deploy: str) -> tuple[JournalEntry, tuple[Minute, ...]]:
    """Return a deployment and its minutes, or the latest that has any.

    Args:
        journal: The service's.
        deploy: The deployment's id; empty for the latest.

    Raises:
        Refused: There is none, or nothing was counted.
    """
    known = [journal.entry(deploy)] if deploy else journal.entries(limit=_LATEST)
    for entry in known:
        if entry is not None and (minutes := minutes_of(entry)):
            return entry, minutes
    raise Refused(
        f"nothing was counted in {deploy}" if deploy else "no canary was counted yet",
        hint="invoke history lists the deployments",
    )


def replay(minutes: Sequence[Minute], thresholds: Thresholds) -> list[Verdict]:
    """Return the verdict as it was, or would have been, after each minute."""
    return [assess(minutes[: number + 1], thresholds) for number in range(len(minutes))]


def rows(minutes: Sequence[Minute], verdicts: Sequence[Verdict]) -> list[list[object]]:
    """Return the table of minutes, by `COLUMNS`."""
    return [
        [
            f"{datetime.fromtimestamp(minute.at, UTC):%Y-%m-%d %H:%M}",
            f"{minute.weight:g} %",
            minute.canary.requests,
            minute.canary.errors,
            minute.canary.slow,
            minute.canary.unanswered,
            minute.baseline.requests,
            minute.baseline.errors,
            minute.synthetic.requests,
            minute.lost,
            verdict.opinion.name,
        ]
        for minute, verdict in zip(minutes, verdicts, strict=True)
    ]


CHANGES = ("Minute", "Traffic", "Canary", "5xx", "Baseline", "5xx", "Verdict")


def changes(minutes: Sequence[Minute], verdicts: Sequence[Verdict]) -> list[list[object]]:
    """Return the minutes after which the verdict was another one, with what was counted until then."""
    found: list[list[object]] = []
    for number, (minute, verdict) in enumerate(zip(minutes, verdicts, strict=True)):
        if not number or verdict.opinion is not verdicts[number - 1].opinion:
            until = minutes[: number + 1]
            sides = [
                sum(getattr(getattr(each, side), count) for each in until)
                for side in ("canary", "baseline")
                for count in ("requests", "errors")
            ]
            found.append([number + 1, f"{minute.weight:g} %", *sides, verdict.opinion.name])
    return found
