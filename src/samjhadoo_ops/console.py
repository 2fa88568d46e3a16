"""The output of a task, in the form that is chosen when it starts.

Progress goes to standard error, results to standard output. With `--json` every line of standard output
is one JSON object, and the last one is the result; `docs/events.md` lists them. Other forms of output (a
live panel, a summary) are views: they are attached to the console and receive every event.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TextIO

from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.redaction import clean, cleaned
from samjhadoo_ops.streams import as_json, columned, short, width_of, wrapped, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from samjhadoo_ops.errors import OpsError

    Progress = Callable[[str], None]  # shows a line of progress, as `Console.line` does

Mode = Literal["live", "lines", "json"]

_RED, _GREEN, _YELLOW, _DIM, _PLAIN = "\033[31m", "\033[32m", "\033[33m", "\033[2m", "\033[0m"
_SYMBOLS = {"✔": _GREEN, "✘": _RED, "!": _YELLOW, "\N{EN DASH}": _DIM}
"""The symbol before a line that is fine, failed, a warning, or skipped; the text repeats its meaning."""
_TIME = 10
"""Columns that the time takes in front of an event's line."""


class View(Protocol):
    """Shows the console's events in a form of its own."""

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """Receive an event; the last one is `result`."""

    def put(self, text: str) -> bool:
        """Show a line of progress; return whether this view shows it."""

    def close(self) -> None:
        """Restore the terminal; it does no harm to call this twice."""


class Console:
    """Writes progress, events and results in one mode.

    Args:
        mode: `live` in a terminal, `lines` elsewhere, `json` when asked for.
        colour: Whether to use colours.
        verbose: Whether what is fine is shown line by line, not only counted.
        out: The stream for results, and for everything in JSON mode.
        err: The stream for progress and errors.
    """

    def __init__(
        self,
        mode: Mode = "lines",
        *,
        colour: bool = False,
        verbose: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.mode = mode
        self.colour = colour
        self.verbose = verbose
        self._out = out
        self._err = err
        self._forced_colour = colour and not self.err.isatty()
        self._started = time.monotonic()
        self.finished = False
        self.escape: Callable[[str], str] = str
        """Applied to every line, so that a CI system does not take it for a command."""
        self._facts: dict[str, Any] = {}
        self._views: list[View] = []
        self._phase_prefix = ""
        self._lock = threading.RLock()

    @classmethod
    def decide(
        cls,
        *,
        as_json: bool = False,
        verbose: bool = False,
        variables: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> Console:
        """Choose the mode and colour: flags, terminal, `CI`, `NO_COLOR`, `FORCE_COLOR` and `TERM`."""
        variables = os.environ if variables is None else variables
        terminal = (err or sys.stderr).isatty() and variables.get("TERM") != "dumb"
        mode: Mode = "json" if as_json else "live" if terminal and not _is_set(variables, "CI") else "lines"
        colour = not variables.get("NO_COLOR") and (terminal or _is_set(variables, "FORCE_COLOR"))
        return cls(mode, colour=colour, verbose=verbose, out=out, err=err)

    @property
    def out(self) -> TextIO:
        """The current standard output."""
        return sys.stdout if self._out is None else self._out

    @property
    def err(self) -> TextIO:
        """The current standard error."""
        return sys.stderr if self._err is None else self._err

    @property
    def elapsed(self) -> float:
        """Real seconds since the console was made."""
        return time.monotonic() - self._started

    def attach(self, view: View) -> None:
        """Send every event to a view from now on."""
        self._views.append(view)

    def close(self) -> None:
        """Restore the terminal."""
        for view in self._views:
            view.close()

    def line(self, text: str) -> None:
        """Show one line of progress."""
        if self.mode == "json":
            self._emit({"event": "progress", "message": text})
        else:
            self._progress("\n".join(wrapped(clean(text, lines=True), width_of(self.err), indent=2)))

    def event(self, name: str, text: str = "", /, **fields: Any) -> None:
        """Report that something happened: as a JSON object, or as the line `text` (by default the fields)."""
        with self._lock:
            if self._reported(name, text, fields):
                return
            shown = text or " ".join([name, *(f"{key}={_text(value)}" for key, value in fields.items())])
            prefix = "" if name == "phase" else self._phase_prefix
            if name == "phase":
                self._phase_prefix = _prefix(fields)
            self.remark(f"{prefix}{shown}")

    def remark(self, text: str) -> None:
        """Show people a line with the time; `--json` and the views have had its content as events."""
        if self.mode == "json":
            return
        time_of_run = f"{self.elapsed:7.1f}s  "
        room = width_of(self.err)
        first, *rest = wrapped(short(f"{' ' * _TIME}{clean(text, lines=True)}"), room, indent=2)
        head = f"{self._styled(time_of_run, _DIM)}{self._marked(first[_TIME:])}"
        self._progress("\n".join([head, *rest]))

    def state(self, name: str, text: str = "", /, **fields: Any) -> None:
        """Report what is no news for people, or a part of a later line: to `--json` and the views only."""
        with self._lock:
            self._reported(name, text, fields)

    def show(self, text: str, /, **fields: Any) -> None:
        """Write a line of the result to standard output; in JSON mode the fields, if there are any."""
        if self.mode != "json":
            self._lines(self.out, wrapped(clean(text, lines=True), width_of(self.out), indent=2))
        elif fields:
            self._emit({"event": "item", **fields})

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, event: str = "row") -> None:
        """Show a small table; in JSON mode one object per row, keyed by the column names."""
        self.records(columns, rows, event=event)
        self.grid(columns, rows)

    def records(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, event: str) -> None:
        """Report the rows of a table to `--json` and the views only."""
        for row in rows:
            self.state(event, **{_key(column): cell for column, cell in zip(columns, row, strict=True)})

    def grid(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Show a table to people only."""
        if self.mode == "json":
            return
        cells = [[clean(_text(cell)) for cell in row] for row in rows]
        for line in columned([list(columns), *cells], width_of(self.out)):
            write(self.out, self.escape(line))

    def note(self, **facts: Any) -> None:
        """Add fields to the JSON object of the result, whatever that will be."""
        self._facts |= facts

    def command(self, text: str) -> None:
        """Write a command to standard output, unbroken on a line of its own, so that it can be copied."""
        if self.mode != "json":
            write(self.out, self.escape(clean(text)))

    def disclose(self, event: str, lines: Sequence[str], /, **fields: str) -> None:
        """Write secrets that were asked for: lines, or an event in JSON mode; views do not get them."""
        for line in [as_json({"event": event, **fields})] if self.mode == "json" else lines:
            write(self.out, line)

    def result(
        self, outcome: str, exit_code: int, /, text: str = "", *, commands: Sequence[str] = (), **fields: Any
    ) -> None:
        """Report the outcome, and the commands that a person may want next; this is the last output."""
        self.close()
        ending = {"outcome": outcome, "exit_code": int(exit_code), **({"message": text} if text else {})}
        document = {**ending, **self._facts, **fields}
        self._notify("result", text, document)
        self.finished = True
        if self.mode == "json":
            self._emit({"event": "result", **document})
            return
        shown = text or " ".join([outcome, *(f"{key}={_text(value)}" for key, value in fields.items())])
        symbol = "✔" if exit_code == ExitCode.SUCCEEDED else "✘"
        self._lines(self.out, wrapped(f"{symbol} {clean(shown, lines=True)}", width_of(self.out), indent=2))
        for each in commands:
            self.command(f"  {each}")

    def failure(self, error: OpsError) -> None:
        """Report what went wrong, what was changed and what to run next; this is the last output."""
        self.close()
        document = {**_document(error), **self._facts}
        self._notify("result", error.message, document)
        self.finished = True
        if self.mode == "json":
            self._emit({"event": "result", **document})
            return
        room = width_of(self.err)
        texts = [
            short(f"error: {error.message}"),
            *(short(f"  {detail}") for detail in error.details),
            *([short(f"  changed: {error.changed}")] if error.changed else []),
        ]
        first, *rest = [line for text in cleaned(texts) for line in wrapped(text, room, indent=2)]
        first = first.replace("error:", self._styled("error:", _RED), 1)
        self._lines(self.err, [first, *rest, *_hints(clean(error.hint), room)])

    @contextmanager
    def active(self) -> Iterator[Console]:
        """Make this the console that `current_console` returns."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def _reported(self, name: str, text: str, fields: Mapping[str, Any]) -> bool:
        """Give an event to the views and, in JSON mode, to standard output; return whether that is all."""
        self._notify(name, text, fields)
        if self.mode == "json":
            self._emit({"event": name, **({"message": text} if text else {}), **fields})
        return self.mode == "json"

    def _notify(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        text, fields = clean(text, lines=True), cleaned(fields)
        for view in list(self._views):
            try:
                view.receive(event, text, fields)
            except Exception as error:  # noqa: BLE001  # a broken view must not stop a deployment
                self._views.remove(view)
                self.event("unshown", f"{type(view).__name__} failed: {type(error).__name__}: {error}")

    def _progress(self, text: str) -> None:
        text = self.escape(text)
        with self._lock:
            if not any(view.put(text) for view in self._views):
                write(self.err, text)

    def _emit(self, document: Mapping[str, Any]) -> None:
        with self._lock:
            # `##[` anywhere in a line is a command to GitHub's runner.
            write(self.out, as_json(cleaned(document)).replace("##[", "##\\u005b"))

    def _lines(self, stream: TextIO, lines: Sequence[str]) -> None:
        for line in lines:
            write(stream, self.escape(self._marked(line, stream)))

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if self.colour else text

    def _marked(self, line: str, stream: TextIO | None = None) -> str:
        """Return a line with its symbol in colour, if the stream (by default that of errors) shows them."""
        symbol = line.lstrip()[:1]
        coloured = stream is None or stream is self.err or stream.isatty() or self._forced_colour
        if not coloured or symbol not in _SYMBOLS or not line.lstrip().startswith(f"{symbol} "):
            return line
        return line.replace(symbol, self._styled(symbol, _SYMBOLS[symbol]), 1)


_current: ContextVar[Console | None] = ContextVar("console", default=None)


def current_console() -> Console:
    """Return the running task's console; outside a task, a new one."""
    return _current.get() or Console.decide()


def _document(error: OpsError) -> dict[str, Any]:
    """Return an error as the fields of a result."""
    code = ExitCode(error.exit_code)
    texts = {"message": error.message, "changed": error.changed, "hint": error.hint}
    return {
        "outcome": code.name.lower(),
        "exit_code": int(code),
        **{key: value for key, value in texts.items() if value},
        "error": type(error).__name__,
        **({"details": list(error.details)} if error.details else {}),
        **({"failure": dict(error.failure)} if error.failure else {}),
    }


def _hints(hint: str, room: int) -> list[str]:
    """Return each hint on a line of its own; a command that does not fit follows unbroken on its own line."""
    found: list[str] = []
    for number, part in enumerate(hint.split("; ") if hint else ()):
        title = "  hint: " if not number else " " * 8
        unbroken = part.startswith("aws ")
        found += wrapped(f"{title}{part}", 0 if unbroken else room, indent=0 if number else 6)
    return found


def _is_set(variables: Mapping[str, str], name: str) -> bool:
    return variables.get(name, "").lower() not in ("", "0", "false")


def _prefix(fields: Mapping[str, Any]) -> str:
    """Return the phase of a deployment, as the prefix of the lines that follow."""
    weight = fields.get("weight")
    share = "" if weight is None else f" {weight:g} %"
    return f"[{str(fields.get('phase', '')).replace('_', ' ').lower()}{share}] "


def _key(column: str) -> str:
    return column.lower().replace(" ", "_")


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return "" if value is None else str(value)
