"""What the user sees: decided once, told in one place.

Progress goes to standard error, results to standard output. With `--json` every line of standard output
is one JSON object, and the last one is the result.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TextIO

from samjhadoo_ops.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from samjhadoo_ops.errors import OpsError

Mode = Literal["live", "lines", "json"]

_RED, _DIM, _PLAIN = "\033[31m", "\033[2m", "\033[0m"


class Console:
    """Writes progress, events and results in the mode that was decided.

    Args:
        mode: `live` in a terminal, `lines` elsewhere, `json` when asked for.
        colour: Whether escape sequences are welcome.
        out: Results, and everything in JSON mode.
        err: Progress and errors.

    """

    def __init__(
        self,
        mode: Mode = "lines",
        *,
        colour: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.mode = mode
        self.colour = colour
        self._out = out
        self._err = err
        self._started = time.monotonic()
        self.finished = False
        self._facts: dict[str, Any] = {}

    @classmethod
    def decide(
        cls,
        *,
        as_json: bool = False,
        variables: Mapping[str, str] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> Console:
        """Choose the mode and colour from the flag, the terminal, `CI`, `NO_COLOR` and `TERM`."""
        variables = os.environ if variables is None else variables
        terminal = (err or sys.stderr).isatty() and variables.get("TERM") != "dumb"
        continuous = variables.get("CI", "").lower() not in ("", "0", "false")
        mode: Mode = "json" if as_json else "live" if terminal and not continuous else "lines"
        return cls(mode, colour=terminal and not variables.get("NO_COLOR"), out=out, err=err)

    @property
    def out(self) -> TextIO:
        """Standard output, as it is now."""
        return sys.stdout if self._out is None else self._out

    @property
    def err(self) -> TextIO:
        """Standard error, as it is now."""
        return sys.stderr if self._err is None else self._err

    @property
    def elapsed(self) -> float:
        """Real seconds since the console was made."""
        return time.monotonic() - self._started

    def line(self, text: str) -> None:
        """Tell one line of progress."""
        if self.mode == "json":
            self._emit({"event": "progress", "message": text})
        else:
            _write(self.err, text)

    def event(self, name: str, text: str = "", /, **fields: Any) -> None:
        """Tell that something happened: a JSON object, or a line of `text` (else the fields)."""
        if self.mode == "json":
            self._emit({"event": name, **({"message": text} if text else {}), **fields})
            return
        said = text or " ".join([name, *(f"{key}={_text(value)}" for key, value in fields.items())])
        _write(self.err, f"{self._styled(f'{self.elapsed:7.1f}s', _DIM)}  {said}")

    def show(self, text: str, /, **fields: Any) -> None:
        """Put a line of the result on standard output; in JSON mode the fields, if there are any."""
        if self.mode != "json":
            _write(self.out, text)
        elif fields:
            self._emit({"event": "item", **fields})

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, event: str = "row") -> None:
        """Show a small table; in JSON mode one object per row, keyed by the column names."""
        if self.mode == "json":
            for row in rows:
                self._emit(
                    {
                        "event": event,
                        **{_key(column): cell for column, cell in zip(columns, row, strict=True)},
                    }
                )
            return
        cells = [[_text(cell) for cell in row] for row in rows]
        if not (self.mode == "live" and self.out.isatty() and self._rich_table(columns, cells)):
            for text in _aligned([list(columns), *cells]):
                _write(self.out, text)

    def note(self, **facts: Any) -> None:
        """Add fields to the result's JSON object, however it will end."""
        self._facts |= facts

    def result(self, outcome: str, exit_code: int, /, text: str = "", **fields: Any) -> None:
        """Tell the outcome; nothing follows it."""
        self.finished = True
        if self.mode == "json":
            said = {"message": text} if text else {}
            told = {"event": "result", "outcome": outcome, "exit_code": int(exit_code)}
            self._emit({**told, **said, **self._facts, **fields})
            return
        said_text = text or " ".join([outcome, *(f"{key}={_text(value)}" for key, value in fields.items())])
        _write(self.out, said_text)

    def failure(self, error: OpsError) -> None:
        """Tell what was wrong, what was changed and what to run next, and end with the exit code."""
        if self.mode == "json":
            told = {"message": error.message, "changed": error.changed, "hint": error.hint}
            fields = {key: value for key, value in told.items() if value}
            details = {"details": list(error.details)} if error.details else {}
            self.finished = True
            code = ExitCode(error.exit_code)
            fields["error"] = type(error).__name__
            self._emit(
                {
                    "event": "result",
                    "outcome": code.name.lower(),
                    "exit_code": int(code),
                    **fields,
                    **details,
                    **self._facts,
                }
            )
            return
        _write(self.err, f"{self._styled('error:', _RED)} {error.message}")
        for detail in error.details:
            _write(self.err, f"  {detail}")
        if error.changed:
            _write(self.err, f"  changed: {error.changed}")
        if error.hint:
            _write(self.err, f"  hint: {error.hint}")

    @contextmanager
    def active(self) -> Iterator[Console]:
        """Make this the console that `current_console` returns."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def _emit(self, document: Mapping[str, Any]) -> None:
        _write(self.out, _json(document))

    def _styled(self, text: str, style: str) -> str:
        return f"{style}{text}{_PLAIN}" if self.colour else text

    def _rich_table(self, columns: Sequence[str], cells: Sequence[Sequence[str]]) -> bool:
        """Show the table with rich; false when it is not installed."""
        try:
            from rich.console import Console as RichConsole
            from rich.table import Table
            from rich.text import Text
        except ImportError:
            return False
        table = Table(box=None, pad_edge=False, header_style="bold" if self.colour else "")
        for column in columns:
            table.add_column(column, overflow="fold")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        colours: Any = "auto" if self.colour else None
        RichConsole(file=self.out, color_system=colours, highlight=False).print(table)
        return True


_current: ContextVar[Console | None] = ContextVar("console", default=None)


def current_console() -> Console:
    """Return the running task's console; outside a task one that prints lines."""
    return _current.get() or Console.decide()


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _key(column: str) -> str:
    return column.lower().replace(" ", "_")


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    return "" if value is None else str(value)


def _write(stream: TextIO, text: str) -> None:
    """Print a line, also where the stream's encoding lacks its letters, or where nobody reads any more."""
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except BrokenPipeError:
        # What is being done matters more than its telling: a deployment must not be left half-way by it.
        _mute(stream)


def _mute(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _json(document: Mapping[str, Any]) -> str:
    """Return the document as one line of JSON; what JSON has no word for (infinity too) becomes text."""
    try:
        return json.dumps(document, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(document), default=_plain)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _plain(value: Any) -> Any:
    """Return what JSON has no word for as text; a secret's text is stars."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=str)
    return str(value)
