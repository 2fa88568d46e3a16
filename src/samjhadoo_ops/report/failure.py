"""A failed deployment on one screen: what, where, why, what was changed, what next. Pure data and text."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

SCREEN = 24
"""Lines of a small terminal; message, changes and next command included."""
_FRAME = 4
_LONGEST = 120
_INDENT = 2
_FIGURES = re.compile(r"\d+")
_SHARES = {"tasks": 3, "logs": 10, "alarms": 4, "events": 5, "gaps": 2}
"""How many lines each part may have at most; what others leave free is not given away, so nothing jumps."""
_YIELD = ("events", "logs", "gaps", "tasks", "alarms")
"""Who gives lines away first when there are too many."""


@dataclass(frozen=True)
class Container:
    """A container of a stopped task."""

    name: str
    exit_code: int | None = None
    reason: str = ""

    def __str__(self) -> str:
        code = "no exit code" if self.exit_code is None else f"exit code {self.exit_code}"
        return f"{self.name}: {code}{f', {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class StoppedTask:
    """A task of the new release that ended by itself or was ended."""

    id: str
    reason: str
    containers: tuple[Container, ...] = ()

    def __str__(self) -> str:
        # ECS gives a reason that ended the whole task to a container too: once is enough.
        told = (
            replace(each, reason="") if each.reason and each.reason in self.reason else each
            for each in self.containers
        )
        inside = f" ({'; '.join(map(str, told))})" if self.containers else ""
        return f"{self.id}: {self.reason or 'no reason given'}{inside}"


@dataclass(frozen=True)
class Alarm:
    """An alarm that fired.

    Attributes:
        value: The datapoint that made it fire; None when it isn't told.
        window: Over so many seconds on the clock.

    """

    name: str
    metric: str = ""
    value: float | None = None
    comparison: str = ""
    threshold: float | None = None
    window: float | None = None
    reason: str = ""

    def __str__(self) -> str:
        if self.threshold is None:
            return f"{self.name}: {self.reason}" if self.reason else self.name
        seen = f"{self.value:g} " if self.value is not None else ""
        window = f" in {self.window / 60:g} min" if self.window else ""
        return f"{self.name}: {self.metric} {seen}{self.comparison} {self.threshold:g}{window}"


@dataclass(frozen=True)
class Failure:
    """All that is known of a deployment that failed.

    Attributes:
        phase: In which it was when it turned back or ended.
        weight: Percent of production traffic on the new release then.
        since: Seconds on the clock from its start until then.
        verdict: The judge's last numbers; empty when nothing was counted.
        schema: What the database is at, and whether the former release can live with it.

    """

    release: str = ""
    deployment: str = ""
    phase: str = ""
    weight: float | None = None
    since: float | None = None
    reason: str = ""
    verdict: dict[str, Any] = field(default_factory=dict)
    alarms: tuple[Alarm, ...] = ()
    tasks: tuple[StoppedTask, ...] = ()
    logs: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    gaps: tuple[str, ...] = ()
    schema: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as data; what isn't known is left out."""
        return {key: value for key, value in asdict(self).items() if value not in (None, "", (), {})}


def where(failure: Failure) -> str:
    """Return where it failed, in words."""
    parts = [failure.phase] if failure.phase else []
    if failure.weight is not None:
        parts.append(f"{failure.weight:g} % of production traffic on the new release")
    if failure.since is not None:
        parts.append(f"{failure.since / 60:.0f} min after the start")
    return ", ".join(parts)


def numbers(verdict: dict[str, Any]) -> str:
    """Return a verdict's numbers in words: signal, rate, limit, window, sample, baseline."""
    if not verdict:
        return ""
    parts = [" ".join(str(verdict[key]) for key in ("opinion", "signal") if verdict.get(key))]
    if verdict.get("observed") is not None:
        parts.append(f"{_percent(verdict['observed'])} seen")
    if verdict.get("threshold") is not None:
        parts.append(f"limit {_percent(verdict['threshold'])}")
    if verdict.get("sample") is not None:
        parts.append(f"{verdict['sample']} canary requests")
    if verdict.get("window") is not None:
        parts.append(f"{verdict['window'] / 60:g} min")
    if verdict.get("baseline") is not None:
        parts.append(f"beside it {_percent(verdict['baseline'])}")
    return ", ".join(part for part in parts if part)


def screen(failure: Failure, *, lines: int = SCREEN - _FRAME) -> tuple[str, ...]:
    """Return the middle of the failure's screen: where, the verdict, alarms, tasks, logs, events, schema.

    Args:
        failure: What is known.
        lines: How many there may be; the error's own sentence, changes and next command come on top.

    """
    facts = [
        f"{title}: {said}"
        for title, said in (
            ("where", where(failure)),
            ("verdict", numbers(failure.verdict)),
        )
        if said
    ]
    last = [f"schema: {failure.schema}"] if failure.schema else []
    parts = {
        "alarms": ("alarms that fired:", [str(alarm) for alarm in failure.alarms]),
        "tasks": ("stopped tasks of the new release:", ends(failure.tasks)),
        "logs": ("last log lines of the new release:", folded(failure.logs)),
        "events": ("last events of the service:", list(failure.events)),
        "gaps": ("could not be read:", list(failure.gaps)),
    }
    room = _rooms({name: len(found) for name, (_, found) in parts.items()}, lines - len(facts) - len(last))
    body = [
        line
        for name, (title, found) in parts.items()
        if room[name]
        for line in (title, *(f"  {text}" for text in _kept(name, found, room[name])))
    ]
    return tuple(_short(line) for line in (*facts, *body, *last))


def folded(lines: Sequence[str]) -> list[str]:
    """Return log lines, with those that follow each other and differ only in figures as one, counted.

    A line that is too long loses its middle: a log's reason often stands at the end.
    """
    found: list[str] = []
    for _, alike in groupby(lines, key=lambda line: _FIGURES.sub("0", line)):
        *others, last = alike
        count = f"({len(others) + 1} alike) " if others else ""
        found.append(count + _short(last, _LONGEST - _INDENT - len(count)))
    return found


def ends(tasks: Sequence[StoppedTask]) -> list[str]:
    """Return the lines of stopped tasks, one each; alike ones share lines if one is too short."""
    found: list[str] = []
    room = _LONGEST - _INDENT
    for _, alike in groupby(tasks, key=lambda task: replace(task, id="")):
        first, *others = alike
        if len(str(first)) <= room:
            found += map(str, (first, *others))
            continue
        count = f"({len(others) + 1} alike) " if others else ""
        found += _wrapped(f"{count}{first}", room, _SHARES["tasks"])
    return found


def _wrapped(text: str, room: int, most: int) -> list[str]:
    """Return a text in at most so many lines, without its middle if it is too long."""
    length = most * room
    # Words that go to the next line leave room behind.
    while len(lines := wrap(_short(text, length), room, break_on_hyphens=False)) > most:
        length -= room // 10
    return lines


def _rooms(wanted: dict[str, int], lines: int) -> dict[str, int]:
    """Return how many lines each part gets; a part's title takes one more."""
    room = {name: min(count, _SHARES[name]) for name, count in wanted.items()}
    while sum(count + 1 for count in room.values() if count) > lines:
        giver = next((name for name in _YIELD if room[name] > 1), None)
        giver = giver or next((name for name in _YIELD if room[name]), None)
        if giver is None:
            break
        room[giver] -= 1
    return room


def _kept(name: str, found: list[str], count: int) -> list[str]:
    """Return what is shown of a part: the end of what happened in time, else the beginning."""
    return found[-count:] if name in {"logs", "events"} else found[:count]


def _short(line: str, room: int = _LONGEST) -> str:
    """Return a line without its middle if it is too long: why a task stopped stands at the end."""
    half = room // 2
    return line if len(line) <= room else f"{line[: room - half - 1]}…{line[-half:]}"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.3g} %"
