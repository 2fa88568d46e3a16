"""The Markdown summary of a run, for GitHub's step summary. Whatever is foreign in it is escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.report.escaping import code, fenced, markdown
from samjhadoo_ops.report.failure import Alarm, Container, Failure, StoppedTask, numbers, where
from samjhadoo_ops.report.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

MOST = 200_000
"""Characters; GitHub drops a summary of more than 1 MiB with everything in it."""
_MARKS = {0: "✅", 3: "⛔", 6: "⏸️"}
_GATES = {"ok": "✅", "refused": "⛔", "skipped": "💤", "warning": "⚠️", "overridden": "⚠️"}


class Summary:
    """Appends the summary to a file when the run ends; a `View`.

    Args:
        path: GitHub's `GITHUB_STEP_SUMMARY`.
        verb: Of the run.
        elapsed: Returns the real seconds since it began.
        complain: Is told when the file cannot be written; that fails nothing.

    """

    def __init__(
        self, path: Path, *, verb: str, elapsed: Callable[[], float], complain: Callable[[str], None]
    ) -> None:
        self.story = Story()
        self._path = path
        self._verb = verb
        self._elapsed = elapsed
        self._complain = complain

    def heard(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.heard`."""
        self.story.tell(event, text, fields, self._elapsed())
        if event != "result":
            return
        try:
            with self._path.open("a", encoding="utf-8", errors="replace") as file:
                file.write(summary(self.story, verb=self._verb, text=text))
        except OSError as error:
            self._complain(f"the summary could not be written: {error}")

    def put(self, _text: str) -> bool:
        """See `View.put`; lines are shown as lines."""
        return False

    def close(self) -> None:
        """See `View.close`."""


def summary(story: Story, *, verb: str, text: str = "") -> str:
    """Return the Markdown of a run that has ended.

    Args:
        story: What has happened.
        verb: `deploy`, `watch`, `rollback`, `rehearse`.
        text: The result's sentence.

    """
    result = story.result
    exit_code = int(result.get("exit_code", 0))
    outcome = str(result.get("outcome", "")).replace("_", " ")
    failure = failure_of(result.get("failure") or {})
    mark = _MARKS.get(exit_code, "❌")
    lines = [f"## {mark} {markdown(verb)}: {markdown(outcome)}", "", markdown(text) or "", ""]
    lines += _facts(story, exit_code)
    lines += _failure(failure) if failure else []
    lines += _stages(story)
    lines += _counts(story)
    lines += _notices(story)
    lines += _gates(story)
    lines += _rehearsed(story)
    lines += _changed(story)
    said = "\n".join(lines) + "\n\n"
    return said if len(said) <= MOST else f"{said[:MOST]}\n"


def failure_of(document: Mapping[str, Any]) -> Failure | None:
    """Return the failure that a result's `failure` tells of; None when it tells of none."""
    if not document:
        return None
    known = dict(document)
    for name, read in (("alarms", Alarm), ("tasks", _task)):
        known[name] = tuple(read(**each) for each in document.get(name, ()))
    return Failure(**known)


def _task(**document: Any) -> StoppedTask:
    containers = tuple(Container(**each) for each in document.pop("containers", ()))
    return StoppedTask(**document, containers=containers)


def _facts(story: Story, exit_code: int) -> list[str]:
    facts = [
        ("Release", story.release),
        ("Digest", story.digest),
        ("Deploy", story.deploy),
        ("Deployment", story.deployment),
        ("Exit code", str(exit_code)),
    ]
    return _table(("", ""), [(title, code(said, cell=True)) for title, said in facts if said])


def _failure(failure: Failure) -> list[str]:
    lines = ["### Why", ""]
    for title, said in (
        ("Where", where(failure)),
        ("Reason", failure.reason),
        ("Verdict", numbers(failure.verdict)),
        ("Schema", failure.schema),
    ):
        if said:
            lines.append(f"- **{title}**: {markdown(said)}")
    lines += [f"- **Alarm**: {markdown(str(alarm))}" for alarm in failure.alarms]
    lines += [f"- **Stopped task**: {markdown(str(task))}" for task in failure.tasks]
    lines += [f"- **Not read**: {markdown(gap)}" for gap in failure.gaps]
    lines.append("")
    for title, found in (("Last log lines", failure.logs), ("Last events of the service", failure.events)):
        if found:
            lines += [f"{title}:", "", *fenced(list(found)), ""]
    return lines


def _stages(story: Story) -> list[str]:
    rows = [
        (markdown(name.replace("_", " ").lower()), f"{seconds:.1f} s") for name, seconds in story.durations()
    ]
    return ["### Stages", "", *_table(("Stage", "Real time"), rows)] if rows else []


def _counts(story: Story) -> list[str]:
    rows = [
        (side, *(str(found[key]) for key in ("requests", "errors", "slow", "unanswered")))
        for side in ("canary", "baseline", "bake")
        if (found := story.counts.get(side))
    ]
    if not rows:
        return []
    verdict = story.counts.get("verdict", {})
    opinion = f"Verdict: {markdown(str(verdict.get('opinion', '')))}"
    reason = markdown(str(verdict.get("reason", "")))
    table = _table(("", "Requests", "5xx", "Slow", "No answer"), rows)
    return ["### Canary", "", *table, f"{opinion}{f': {reason}' if reason else ''}", ""]


def _notices(story: Story) -> list[str]:
    return (
        ["### Notices", "", *(f"- {markdown(notice)}" for notice in story.notices), ""]
        if story.notices
        else []
    )


def _gates(story: Story) -> list[str]:
    if not story.gates:
        return []
    first = [(name, *gate) for name, gate in story.gates.items() if gate[0] not in {"ok", "skipped"}]
    rest = [(name, *gate) for name, gate in story.gates.items() if gate[0] in {"ok", "skipped"}]
    title = f"<summary>{len(rest)} gates open or without anything to say</summary>"
    lines = ["### Gates", "", *_table(("", "Gate", "Found"), _gate_rows(first))] if first else []
    if rest:
        lines += ["<details>", title, "", *_table(("", "Gate", "Found"), _gate_rows(rest)), "</details>", ""]
    return lines


def _gate_rows(gates: Iterable[tuple[str, str, str]]) -> list[tuple[str, ...]]:
    return [
        (
            _GATES.get(state, ""),
            code(name, cell=True),
            f"{markdown(state)}: {markdown(said.partition(': ')[2])}",
        )
        for name, state, said in gates
    ]


def _rehearsed(story: Story) -> list[str]:
    if not story.rows:
        return []
    columns = list(story.rows[0])
    rows = [tuple(markdown(_text(row.get(column))) for column in columns) for row in story.rows]
    return ["### Rehearsed", "", *_table([markdown(column.replace("_", " ")) for column in columns], rows)]


def _changed(story: Story) -> list[str]:
    result = story.result
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
