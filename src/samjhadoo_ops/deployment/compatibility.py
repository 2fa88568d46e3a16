"""What the journal knows of the schema: its version, and the migrations that a release cannot live with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.database.judge import recorded_judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from samjhadoo_ops.database.judge import ScriptJudgement
    from samjhadoo_ops.deployment.journal import JournalEntry


def unsupported(entries: Sequence[JournalEntry], task_definition: str) -> list[ScriptJudgement]:
    """Return the migrations that a release may not live with; empty when it lives with all of them.

    Args:
        entries: The journal, newest first.
        task_definition: The release's; what was migrated with it or before does no harm to it.

    """
    position = _position(entries, task_definition)
    newer, older_or_same = _releases(entries[:position]), _releases(entries[position:])
    found = {each.script: each for entry in entries[:position] for each in _recorded(entry)}
    return [
        each
        for _, each in sorted(found.items())
        # A contract spares the releases from the one that it names on.
        if not each.since or not _named(each.since, older_or_same) or _named(each.since, newer)
    ]


def schema_version(entries: Iterable[JournalEntry]) -> str:
    """Return the schema's version as the newest deploy that knew it recorded it; empty if none did.

    Args:
        entries: The journal, newest first.

    """
    for entry in entries:
        known = entry.last("migrated") or entry.last("schema")
        if known is not None and known.data.get("schema"):
            return str(known.data["schema"])
    return ""


def _position(entries: Sequence[JournalEntry], task_definition: str) -> int:
    """Return the place of the newest deploy of a task definition; the end when there is none."""
    for number, entry in enumerate(entries):
        if entry.kind == "deploy" and entry.data.get("task_definition") == task_definition:
            return number
    return len(entries)


def _releases(entries: Iterable[JournalEntry]) -> set[str]:
    return {str(entry.data.get("release", "")) for entry in entries if entry.kind == "deploy"}


def _named(name: str, releases: set[str]) -> bool:
    return any(release == name or (name and release.startswith(name)) for release in releases)


def _recorded(entry: JournalEntry) -> tuple[ScriptJudgement, ...]:
    """Return how a deployment's migrations were judged; what was only about to be run may have been run."""
    migrating = entry.last("migrating")
    return recorded_judgement(migrating.data).scripts if migrating else ()
