"""A failed deployment on one screen: what failed, where and why. Pure data and text."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.clock import in_words
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from collections.abc import Sequence

SCREEN = 24
"""Lines of a small terminal. The error message, the changes and the next command need some of them."""
_FRAME = 4
_LONGEST = 1000
"""Characters of a line that are shown: what explains a failure is shown whole."""
_ROW = 76
_ERROR = re.compile(
    r'"level": ?"(?:error|fatal|critical)"'
    r"|\b(?:ERROR|FATAL|CRITICAL|SEVERE)\b|\b[\w.]*(?:Error|Exception)\b|Traceback|\bpanic:"
)
_FIGURES = re.compile(r"\d+")
_SHARES = {"targets": 2, "starting": 2, "tasks": 3, "logs": 6, "alarms": 4, "events": 3, "gaps": 2}
"""The most lines each part may take; unused lines are not given to other parts."""
_YIELD = ("events", "gaps", "logs", "tasks", "starting", "alarms", "targets")
"""Which parts lose lines first when there are too many."""


@dataclass(frozen=True)
class StoppedContainer:
    """A container of a stopped task."""

    name: str
    exit_code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        code = "no exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        return f"{self.name}: {code}{f', {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class StoppedTask:
    """A task of the new release that stopped or was stopped."""

    id: str
    reason: str
    containers: tuple[StoppedContainer, ...] = ()

    def __str__(self) -> str:
        # ECS repeats the task's reason in the container: show it once.
        containers = (
            replace(each, reason="") if each.reason and each.reason in self.reason else each
            for each in self.containers
        )
        inside = f" ({'; '.join(map(str, containers))})" if self.containers else ""
        return f"{self.id}: {self.reason or 'no reason given'}{inside}"


@dataclass(frozen=True)
class StartingTasks:
    """What the tasks of a new release showed that did not get healthy in time, before they were stopped."""

    tasks: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    logs: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """An alarm that fired.

    Attributes:
        value: The datapoint that made it fire; None if unknown.
        window: The period that it covers, in seconds on the clock.
    """

    name: str
    metric: str = ""
    value: float | None = None
    comparison: str = ""
    threshold: float | None = None
    window: float | None = None
    reason: str = ""

    def text(self, minutes: str = "min") -> str:
        """Return it in words; `minutes` is what people call the clock's."""
        if self.threshold is None:
            return f"{self.name}: {self.reason}" if self.reason else self.name
        value = f"{self.value:g} " if self.value is not None else ""
        window = f" in {self.window / 60:g} {minutes}" if self.window else ""
        return f"{self.name}: {self.metric} {value}{self.comparison} {self.threshold:g}{window}"


@dataclass(frozen=True)
class FailureReport:
    """Everything that is known about a failed deployment.

    Attributes:
        phase: The phase in which it failed.
        weight: Percent of production traffic on the new release at that moment.
        since: Seconds on the clock from the start until that moment.
        real_since: The same in real seconds, on an emulated clock.
        verdict: The last numbers of the canary analysis; empty if nothing was counted.
        starting: Tasks of the new release that were still starting when it took too long …
        targets: … and what the load balancer's health checks had found of them.
        gaps: What could not be read.
        schema: The version of the database schema, and whether the previous release works with it.
    """

    release: str = ""
    deployment: str = ""
    phase: str = ""
    weight: float | None = None
    since: float | None = None
    real_since: float | None = None
    reason: str = ""
    verdict: dict[str, Any] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    starting: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    tasks: tuple[StoppedTask, ...] = ()
    logs: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    schema: str = ""

    @property
    def minutes(self) -> str:
        """What people call the minutes of the deployment's clock."""
        return "min" if self.real_since is None else "emulated min"

    def document(self) -> dict[str, Any]:
        """Return the report as data, without what is unknown."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", (), {})}


def where(failure: FailureReport) -> str:
    """Return where it failed, in words."""
    parts = [failure.phase] if failure.phase else []
    if failure.weight is not None:
        parts.append(f"{failure.weight:g} % of production traffic on the new release")
    if failure.since is not None:
        real, emulated = failure.real_since, in_words(failure.since)
        parts.append(
            f"{emulated if real is None else f'{in_words(real)} ({emulated} emulated)'} after the start"
        )
    return ", ".join(parts)


def numbers(verdict: dict[str, Any], *, minutes: str = "min") -> str:
    """Return a verdict's numbers in words: signal, rate, limit, window, sample, baseline.

    Args:
        minutes: What people call the minutes of the deployment's clock.
    """
    if not verdict:
        return ""
    parts = [" ".join(str(verdict[key]) for key in ("opinion", "signal") if verdict.get(key))]
    if verdict.get("observed") is not None:
        parts.append(f"{_percent(verdict['observed'])} observed")
    if verdict.get("threshold") is not None:
        parts.append(f"limit {_percent(verdict['threshold'])}")
    if verdict.get("sample") is not None:
        parts.append(f"{verdict['sample']} canary requests")
    if verdict.get("window") is not None:
        parts.append(f"{verdict['window'] / 60:g} {minutes}")
    if verdict.get("baseline") is not None:
        parts.append(f"baseline {_percent(verdict['baseline'])}")
    return ", ".join(part for part in parts if part)


def screen(failure: FailureReport, *, lines: int = SCREEN - _FRAME) -> tuple[str, ...]:
    """Return the details of the failure screen, the causes first: log, verdict, alarms and tasks.

    Args:
        failure: What is known.
        lines: The most lines to return, without the message, the changes and the next command.
    """
    cause = explaining(failure.logs)
    first = _titled(("log", cause), ("verdict", numbers(failure.verdict, minutes=failure.minutes)))
    last = _titled(("where", where(failure)), ("schema", failure.schema))
    others = [line for line in failure.logs if _without_figures(line) != _without_figures(cause)]
    parts = {
        "alarms": ("alarms that fired:", [alarm.text(failure.minutes) for alarm in failure.alarms]),
        "targets": ("health checks of the new release:", list(failure.targets)),
        "starting": ("tasks that were still starting:", list(failure.starting)),
        "tasks": ("stopped tasks of the new release:", task_lines(failure.tasks)),
        "logs": (f"{'other' if cause else 'last'} log lines of the new release:", folded(others)),
        "events": ("last events of the service:", list(failure.events)),
        "gaps": ("could not be read:", list(failure.gaps)),
    }
    found_in = {name: found for name, (_, found) in parts.items()}
    room = _rooms(found_in, lines - _height(first) - _height(last))
    body = [
        line
        for name, (title, found) in parts.items()
        if room[name]
        for line in (title, *(f"  {text}" for text in _selected(name, found, room[name])))
    ]
    return tuple(_short(line) for line in (*first, *body, *last))


def _titled(*facts: tuple[str, str]) -> list[str]:
    return [f"{title}: {text}" for title, text in facts if text]


def explaining(logs: Sequence[str]) -> str:
    """Return the last log line that reports an error; empty for none."""
    return next((line for line in reversed(logs) if _ERROR.search(line)), "")


def folded(lines: Sequence[str]) -> list[str]:
    """Return log lines; neighbours that differ only in digits are folded into one line with a count."""
    found: list[str] = []
    for _, alike in groupby(lines, key=_without_figures):
        *others, last = alike
        found.append(f"({len(others) + 1} similar) {last}" if others else last)
    return found


def _without_figures(line: str) -> str:
    return _FIGURES.sub("0", line)


def task_lines(tasks: Sequence[StoppedTask]) -> list[str]:
    """Return a line for each stopped task; equal tasks with a long reason are folded into one."""
    found: list[str] = []
    for _, alike in groupby(tasks, key=lambda task: replace(task, id="")):
        first, *others = alike
        if len(short(str(first))) <= _ROW:
            found += map(str, (first, *others))
            continue
        found.append(f"({len(others) + 1} similar) {first}" if others else str(first))
    return found


def _rooms(found: dict[str, list[str]], lines: int) -> dict[str, int]:
    """Return how many entries of each part fit the lines of a small terminal, its title not counted."""
    room = {name: min(len(each), _SHARES[name]) for name, each in found.items()}
    while sum(1 + _height(_selected(name, found[name], room[name])) for name in room if room[name]) > lines:
        shortened = next((name for name in _YIELD if room[name] > 1), None)
        shortened = shortened or next((name for name in _YIELD if room[name]), None)
        if shortened is None:
            break
        room[shortened] -= 1
    return room


def _height(texts: Sequence[str]) -> int:
    """Return how many lines the texts take on a small terminal, where long ones are wrapped."""
    return sum(max(1, -(-min(len(text), _LONGEST) // _ROW)) for text in texts)


def _selected(name: str, found: list[str], count: int) -> list[str]:
    """Return the lines of a part that are shown: the newest logs and events, the first of all else."""
    return found[-count:] if name in {"logs", "events"} else found[:count]


def _short(line: str, room: int = _LONGEST) -> str:
    """Return a line; one that is far too long keeps its beginning and its end."""
    half = room // 2
    return line if len(line) <= room else f"{line[: room - half - 1]}…{line[-half:]}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
