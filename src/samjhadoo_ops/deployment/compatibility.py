"""Whether a release can still live with the schema: what migrations since then have taken away.

A script says for itself which releases it breaks (`-- contract: since=RELEASE`: every release before that
one), or it is known by statements that take something away which an older release may use.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.database.contract import since

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from samjhadoo_ops.database.answer import Migration
    from samjhadoo_ops.deployment.journal import Entry

_NOISE = re.compile(
    r"--[^\n]*|/\*.*?\*/|(?P<quote>\$\w*\$).*?(?P=quote)|'(?:[^']|'')*'", re.DOTALL | re.MULTILINE
)
_TAKES_AWAY = {
    r"\bdrop\s+(table|view|materialized\s+view|schema|type|function|sequence|domain)\b": "drops a {0}",
    r"\balter\s+table\b[^;]*?\bdrop\s+(?!constraint|default|not\s+null|expression|identity)(column\b)?": (
        "drops a column"
    ),
    r"\brename\s+(column|constraint|value|attribute|to)\b": "renames something",
    r"\balter\s+table\b[^;]*?\balter\s+(column\s+)?\S+\s+(set\s+data\s+)?type\b": "changes a column's type",
    r"\balter\s+table\b[^;]*?\balter\s+(column\s+)?\S+\s+set\s+not\s+null\b": "makes a column required",
    r"\btruncate\b": "empties a table",
}


def takes_away(sql: str) -> str:
    """Return what a script takes away that an older release may use, in words; empty for nothing."""
    contracted = since(sql)
    if contracted:
        return f"since={contracted}"
    bare = _NOISE.sub(" ", sql)
    found = []
    for pattern, said in _TAKES_AWAY.items():
        match = re.search(pattern, bare, re.IGNORECASE)
        if match:
            found.append(said.format(*(part.lower() for part in match.groups() if part)))
    return ", ".join(found)


def breaking_scripts(migrations: Iterable[Migration]) -> dict[str, str]:
    """Return the scripts that take something away, each with what."""
    found = {}
    for migration in migrations:
        path = Path(migration.path)
        what = takes_away(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""
        if what:
            found[migration.script] = what
    return found


def unsupported(entries: Sequence[Entry], task_definition: str) -> dict[str, str]:
    """Return the migrations that a release no longer can live with; empty when it can.

    Args:
        entries: The journal, the newest first.
        task_definition: The release's; what was migrated with it or before doesn't hurt it.

    """
    applied: dict[str, str] = {}
    for entry in entries:
        if entry.kind == "deploy" and entry.data.get("task_definition") == task_definition:
            break
        applied |= _applied(entry)
    behind = entries[: _position(entries, task_definition)]
    newer = {str(each.data.get("release", "")) for each in behind if each.kind == "deploy"}
    older_or_same = _releases(entries, task_definition)
    return {
        script: what
        for script, what in applied.items()
        if not _contracted_for(what, newer=newer, known=older_or_same)
    }


def schema_version(entries: Iterable[Entry]) -> str:
    """Return the version that the newest deploy which knew it has recorded of the schema; empty if none did.

    Args:
        entries: The journal, the newest first.

    """
    for entry in entries:
        known = entry.last("migrated") or entry.last("schema")
        if known is not None and known.data.get("schema"):
            return str(known.data["schema"])
    return ""


def _position(entries: Sequence[Entry], task_definition: str) -> int:
    for number, entry in enumerate(entries):
        if entry.kind == "deploy" and entry.data.get("task_definition") == task_definition:
            return number
    return len(entries)


def _releases(entries: Sequence[Entry], task_definition: str) -> set[str]:
    """Return the releases that were deployed up to a task definition, its own included."""
    deploys = entries[_position(entries, task_definition) :]
    return {str(entry.data.get("release", "")) for entry in deploys if entry.kind == "deploy"}


def _contracted_for(what: str, *, newer: set[str], known: set[str]) -> bool:
    """Tell whether a contract spares the release: it needs nothing of what was taken since then."""
    marker, _, release = what.partition("=")
    return marker == "since" and _named(release, known) and not _named(release, newer)


def _named(name: str, releases: set[str]) -> bool:
    return any(release == name or (name and release.startswith(name)) for release in releases)


def _applied(entry: Entry) -> Mapping[str, str]:
    """Return what a deployment's migrations took away; what was only about to be run may have been."""
    migrating = entry.last("migrating")
    found: Mapping[str, str] = migrating.data.get("breaking", {}) if migrating else {}
    return found
