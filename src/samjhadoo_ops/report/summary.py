"""The Markdown summary of a run for GitHub's step summary. Text from elsewhere is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.report.escaping import code, fenced, markdown
from samjhadoo_ops.report.failure import Alarm, FailureReport, StoppedContainer, StoppedTask, numbers, where
from samjhadoo_ops.report.files import FileView
from samjhadoo_ops.report.progress import RunProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

MOST = 200_000
"""The most characters of a summary. GitHub drops summaries above 1 MiB as a whole."""
_MARKS = {0: "✅", 3: "⛔", 6: "⏸️"}
_GATES = {"ok": "✅", "refused": "⛔", "skipped": "💤", "warning": "⚠️", "overridden": "⚠️", "off": "⚠️"}


class Summary(FileView):
    """Appends the summary to `GITHUB_STEP_SUMMARY` when the run ends; a `View`. See also `FileView`."""

    contents = "summary"

    def __init__(
        self, path: Path, *, task: str, elapsed: Callable[[], float], complain: Callable[[str], None]
    ) -> None:
        super().__init__(path, complain=complain)
        self.progress = RunProgress()
        self._task = task
        self._elapsed = elapsed

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.receive`."""
        self.progress.record(event, text, fields, self._elapsed())
        if event == "result":
            self.append(summary(self.progress, task=self._task, text=text))


def summary(progress: RunProgress, *, task: str, text: str = "") -> str:
    """Return the Markdown summary of a run of `task` that ended with the result's message `text`."""
    result = progress.result
    exit_code = int(result.get("exit_code", 0))
    outcome = str(result.get("outcome", "")).replace("_", " ")
    failure = failure_of(result.get("failure") or {})
    mark = _MARKS.get(exit_code, "❌")
    lines = [f"## {mark} {markdown(task)}: {markdown(outcome)}", "", markdown(text) or "", ""]
    lines += _facts(progress, exit_code)
    lines += _failure(failure) if failure else []
    lines += _stages(progress)
    lines += _counts(progress)
    lines += _notices(progress)
    lines += _gates(progress)
    lines += _rehearsed(progress)
    lines += _changed(progress)
    document = "\n".join(lines) + "\n\n"
    return document if len(document) <= MOST else f"{document[:MOST]}\n"


def failure_of(document: Mapping[str, Any]) -> FailureReport | None:
    """Return the failure report in a result's `failure` field; None if there is none."""
    if not document:
        return None
    known = dict(document)
    for name, read in (("alarms", Alarm), ("tasks", _task)):
        known[name] = tuple(read(**each) for each in document.get(name, ()))
    return FailureReport(**known)


def _task(**document: Any) -> StoppedTask:
    containers = tuple(StoppedContainer(**each) for each in document.pop("containers", ()))
    return StoppedTask(**document, containers=containers)


def _facts(progress: RunProgress, exit_code: int) -> list[str]:
    facts = [
        ("Release", progress.release),
        ("Digest", progress.digest),
        ("Deploy", progress.deploy),
        ("Deployment", progress.deployment),
        ("Exit code", str(exit_code)),
    ]
    return _table(("", ""), [(title, code(text, cell=True)) for title, text in facts if text])


def _failure(failure: FailureReport) -> list[str]:
    lines = ["### Why", ""]
    for title, text in (
        ("Where", where(failure)),
        ("Reason", failure.reason),
        ("Verdict", numbers(failure.verdict, minutes=failure.minutes)),
        ("Schema", failure.schema),
    ):
        if text:
            lines.append(f"- **{title}**: {markdown(text)}")
    lines += [f"- **Alarm**: {markdown(alarm.text(failure.minutes))}" for alarm in failure.alarms]
    lines += [f"- **Stopped task**: {markdown(str(task))}" for task in failure.tasks]
    lines += [f"- **Not read**: {markdown(gap)}" for gap in failure.gaps]
    lines.append("")
    for title, found in (("Last log lines", failure.logs), ("Last events of the service", failure.events)):
        if found:
            lines += [f"{title}:", "", *fenced(list(found)), ""]
    return lines


def _stages(progress: RunProgress) -> list[str]:
    rows = [
        (markdown(name.replace("_", " ").lower()), f"{seconds:.1f} s")
        for name, seconds in progress.durations()
    ]
    return ["### Stages", "", *_table(("Stage", "Real time"), rows)] if rows else []


def _counts(progress: RunProgress) -> list[str]:
    rows = [
        (side, *(str(found[key]) for key in ("requests", "errors", "slow", "unanswered")))
        for side in ("canary", "baseline", "bake")
        if (found := progress.counts.get(side))
    ]
    if not rows:
        return []
    verdict = progress.counts.get("verdict", {})
    opinion = f"Verdict: {markdown(str(verdict.get('opinion', '')))}"
    reason = markdown(str(verdict.get("reason", "")))
    table = _table(("", "Requests", "5xx", "Slow", "No answer"), rows)
    return ["### Canary", "", *table, f"{opinion}{f': {reason}' if reason else ''}", ""]


def _notices(progress: RunProgress) -> list[str]:
    return (
        ["### Notices", "", *(f"- {markdown(notice)}" for notice in progress.notices), ""]
        if progress.notices
        else []
    )


def _gates(progress: RunProgress) -> list[str]:
    if not progress.gates:
        return []
    first = [(name, *gate) for name, gate in progress.gates.items() if gate[0] not in {"ok", "skipped"}]
    rest = [(name, *gate) for name, gate in progress.gates.items() if gate[0] in {"ok", "skipped"}]
    title = f"<summary>{len(rest)} gates passed or skipped</summary>"
    lines = ["### Gates", "", *_table(("", "Gate", "Found"), _gate_rows(first))] if first else []
    if rest:
        lines += ["<details>", title, "", *_table(("", "Gate", "Found"), _gate_rows(rest)), "</details>", ""]
    return lines


def _gate_rows(gates: Iterable[tuple[str, str, str]]) -> list[tuple[str, ...]]:
    return [
        (
            _GATES.get(state, ""),
            code(name, cell=True),
            f"{markdown(state)}: {markdown(text.partition(': ')[2])}",
        )
        for name, state, text in gates
    ]


def _rehearsed(progress: RunProgress) -> list[str]:
    if not progress.rows:
        return []
    columns = list(progress.rows[0])
    rows = [tuple(markdown(_text(row.get(column))) for column in columns) for row in progress.rows]
    return ["### Rehearsed", "", *_table([markdown(column.replace("_", " ")) for column in columns], rows)]


def _changed(progress: RunProgress) -> list[str]:
    result = progress.result
    following = str(result.get("hint") or result.get("reattach") or "")
    lines = [f"**Changed**: {markdown(str(result['changed']))}", ""] if result.get("changed") else []
    return [*lines, *([f"**Next**: {code(following)}", ""] if following else [])]


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return []
    return [
        f"| {' | '.join(columns)} |",
        f"|{'---|' * len(columns)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
    ]


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
