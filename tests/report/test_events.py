"""The table in `docs/events.md` has every event, with every field, that the code reports."""

from __future__ import annotations

import ast
import io
import json
import re
from collections import defaultdict
from pathlib import Path

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import DeploymentFailed

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "samjhadoo_ops"
REPORTING = {"disclose", "event", "state", "tell", "report", "_report", "complain"}


def documented() -> dict[str, set[str]]:
    events: dict[str, set[str]] = defaultdict(set)
    for line in (ROOT / "docs" / "events.md").read_text().splitlines():
        cells = line.split("|")
        if len(cells) == 5 and "`" in cells[1]:
            for name in re.findall(r"`([\w-]+)`", cells[1]):
                events[name] |= set(re.findall(r"`([\w-]+)`", cells[2]))
    return events


def reported() -> list[tuple[str, str, set[str]]]:
    """Return the events with literal names in the code: (where, event, fields)."""
    found = []
    for path in SOURCE.rglob("*.py"):
        if "emulator" in path.relative_to(SOURCE).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            first = node.args[0] if node.args else None
            if called in REPORTING and isinstance(first, ast.Constant) and isinstance(first.value, str):
                fields = {each.arg for each in node.keywords if each.arg}
                found.append((f"{path.name}:{node.lineno}", first.value, fields))
            found += [
                (f"{path.name}:{node.lineno}", each.value.value, set())
                for each in node.keywords
                if called in {"table", "records"}
                and each.arg == "event"
                and isinstance(each.value, ast.Constant)
            ]
    return found


def test_every_event_and_field_in_the_code_is_in_the_table() -> None:
    table, events = documented(), reported()
    assert len(events) > 30
    missing = [(where, name) for where, name, _ in events if name not in table]
    assert missing == []
    unknown = [(where, name, fields - table[name]) for where, name, fields in events if fields - table[name]]
    assert unknown == []


def test_every_event_in_the_table_is_in_the_code() -> None:
    assert documented().keys() - {name for _, name, _ in reported()} <= {
        "progress",
        "item",
        "result",
        "unreported",
        "stack",
        *documented()["result"],
        *FAILURE,
    }


FAILURE = {"release", "deployment", "reason", "phase", "weight", "since", "verdict", "alarms", "tasks"} | {
    "logs",
    "events",
    "schema",
    "gaps",
}


def test_a_failure_has_only_fields_of_the_table() -> None:
    out = io.StringIO()
    console = Console("json", out=out)
    console.note(aws_calls=3)
    console.failure(DeploymentFailed("m", hint="h", changed="c", details=("d",), failure={"phase": "canary"}))
    said = json.loads(out.getvalue())
    assert said.keys() - {"event", "message"} <= documented()["result"]
    assert said["failure"] == {"phase": "canary"}
