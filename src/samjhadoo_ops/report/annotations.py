"""Annotations of a GitHub Actions run: errors, warnings and notices, written to standard error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TextIO

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.report.escaping import command, harmless
from samjhadoo_ops.streams import write

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST = 10
"""How many annotations of each kind GitHub shows per step."""
_WARNINGS = frozenset(
    {"unmonitored", "unrecorded", "unreported", "unknown", "forced", "schema-unknown", "interrupted"}
)
_OPINIONS = frozenset({"FAIL", "ENVIRONMENT"})
_STATES = {"warning": "gate warned", "overridden": "gate overridden"}


class Annotations:
    """Annotates the run of a task (`deploy`, …) with its warnings and its result; a `View`."""

    def __init__(self, stream: TextIO, *, task: str) -> None:
        self._stream = stream
        self._task = task
        self._counts: dict[str, int] = {}

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.receive`."""
        if event == "result":
            self._result(text, fields)
        elif event == "gate" and fields.get("state") in _STATES and text.startswith("["):
            self._annotate("warning", f"{self._task}: {_STATES[fields['state']]}", text.partition("] ")[2])
        elif event in _WARNINGS or (event == "verdict" and fields.get("opinion") in _OPINIONS):
            self._annotate("warning", f"{self._task}: {event}", text)

    def put(self, _text: str) -> bool:
        """See `View.put`; lines are left to the console."""
        return False

    def close(self) -> None:
        """See `View.close`."""

    def _result(self, text: str, fields: Mapping[str, Any]) -> None:
        code, outcome = int(fields.get("exit_code", 0)), str(fields.get("outcome", ""))
        message = text or str(fields.get("message", "")) or outcome
        if code == 0:
            self._annotate("notice", f"{self._task}: {outcome}", message)
            return
        failure = fields.get("failure") or {}
        self._group("what was found", [*failure.get("events", ()), *failure.get("logs", ())])
        parts = (message, fields.get("changed"), fields.get("hint"))
        titles = ("", "changed: ", "next: ")
        body = "\n".join(f"{title}{part}" for title, part in zip(titles, parts, strict=True) if part)
        title = f"{self._task}: {outcome.replace('_', ' ')} (exit code {code})"
        self._annotate("warning" if code == ExitCode.WAITING else "error", title, body)

    def _annotate(self, kind: str, title: str, message: str) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        if self._counts[kind] <= MOST:
            write(self._stream, command(kind, message, title=title))

    def _group(self, title: str, lines: list[Any]) -> None:
        if lines:
            body = "\n".join(harmless(str(line)) for line in lines)
            write(self._stream, f"{command('group', title)}\n{body}\n{command('endgroup')}")
