"""Past deployments, as the journal tells them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from samjhadoo_ops.deployment.journal import Entry

COLUMNS = ("Id", "Kind", "Release", "Digest", "Started", "Minutes", "Outcome", "By")
_SHOWN_DIGEST = 19
_MINUTE = 60.0


def rows(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Return the rows of `COLUMNS`, in the order of the entries."""
    return [_row(entry) for entry in entries]


def _row(entry: Entry) -> tuple[Any, ...]:
    data = entry.data
    minutes = round((entry.finished - entry.started).total_seconds() / _MINUTE, 1) if entry.finished else None
    return (
        entry.deploy,
        data.get("kind", ""),
        data.get("release", ""),
        str(data.get("digest", ""))[:_SHOWN_DIGEST],
        entry.started,
        minutes,
        entry.outcome,
        data.get("by", ""),
    )
