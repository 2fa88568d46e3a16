"""Expand and contract: which changes of the schema the running release may not survive, and the comment that
says since which release nobody needs what is taken away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from samjhadoo_ops.database.lint import Objection

_MARKER = re.compile(
    r"^[ \t]*--[ \t]*contract:[ \t]*since=(?P<release>\S+)[ \t]*$", re.MULTILINE | re.IGNORECASE
)
_DROPPED = re.compile(
    r"\bDROP\s+(?:MATERIALIZED\s+)?VIEW\s+(?:IF\s+EXISTS\s+)?(?P<name>[\w.\"]+)", re.IGNORECASE
)


def since(script: str) -> str:
    """Return the release that `-- contract: since=RELEASE` names; empty when there is no such comment."""
    found = _MARKER.search(script)
    return found["release"] if found else ""


def destructive(objections: Iterable[Objection], rules: Collection[str], script: str) -> list[Objection]:
    """Return the objections that mean a danger for the running release.

    A view that the same script drops and creates again is none: that is how a repeatable script changes one.
    """
    remade = {
        match["name"].lower()
        for match in _DROPPED.finditer(script)
        if re.search(
            rf"\bCREATE\s+(?:OR\s+REPLACE\s+)?(?:MATERIALIZED\s+)?VIEW\s+{re.escape(match['name'])}\b",
            script[match.end() :],
            re.IGNORECASE,
        )
    }
    lines = script.splitlines()
    found = []
    for each in objections:
        text = "\n".join(lines[each.line - 1 : each.line + 1])
        dropped = _DROPPED.search(text)
        if each.rule == "ban-drop-view" and dropped and dropped["name"].lower() in remade:
            continue
        if each.rule in rules:
            found.append(each)
    return found
