"""The live view on a pseudo-terminal: what is on the screen, and that nothing of it can hurt a deployment."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from report_runs import BACK, CANARY, GOOD, PREPARED

from samjhadoo_ops.console import Console
from samjhadoo_ops.report import live
from samjhadoo_ops.report.live import LiveView
from samjhadoo_ops.report.views import attached_views
from samjhadoo_ops.streams import short

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
WITHIN = 60.0


class Terminal:
    """A terminal that somebody reads, or nobody any more."""

    def __init__(self, columns: int = 80, lines: int = 30) -> None:
        self.master, slave = pty.openpty()
        self.resize(columns, lines)
        self.stream = os.fdopen(slave, "w", encoding="utf-8")
        self.seen = ""
        self._thread = threading.Thread(target=self._read, daemon=True)

    def resize(self, columns: int, lines: int = 30) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read(self) -> None:
        self._thread.start()

    def hang_up(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.stream.close()
        if self._thread.ident:  # its next read would be of whoever has the descriptor then
            self._thread.join(WITHIN)
        self.hang_up()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while data := os.read(self.master, 65536):
                self.seen += data.decode(errors="replace")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + WITHIN
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen[-3000:]
            time.sleep(0.02)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    made = Terminal()
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    # rich asks the process's own streams for the width.
    monkeypatch.setattr(os, "get_terminal_size", lambda _fd=0: _size(made))
    yield made
    made.close()


def _size(terminal: Terminal) -> os.terminal_size:
    lines, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(terminal.master, termios.TIOCGWINSZ, b"\0" * 8))
    return os.terminal_size((columns, lines))


def widths(seen: str) -> list[int]:
    """Return the widths of the panels that were drawn."""
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    return [len(found) for found in re.findall(r"╭[^\r\n╭]*╮", plain)]


def tell(console: Console, events: list[Any]) -> None:
    for event, text, fields in events:
        if text:
            console.event(event, text, **fields)
        else:
            console.state(event, **fields)


@contextlib.contextmanager
def shown(terminal: Terminal, *, colour: bool = True) -> Iterator[tuple[Console, io.StringIO]]:
    out = io.StringIO()
    console = Console("live", colour=colour, out=out, err=terminal.stream)
    with attached_views(console, "deploy", {}):
        yield console, out


def view(console: Console) -> LiveView:
    [found] = console._views
    assert isinstance(found, LiveView)
    return found


def test_the_panel_is_drawn_in_place_and_lines_scroll_above_it(terminal: Terminal) -> None:
    terminal.read()
    with shown(terminal) as (console, out):
        tell(console, CANARY)
        terminal.wait_for("22.2 %")
        tell(console, GOOD[len(CANARY) :])
        console.result("succeeded", 0, "release is deployed")
    terminal.wait_for(SHOW)
    assert terminal.seen.index(HIDE) < terminal.seen.index("╭─") < terminal.seen.rindex(SHOW)
    assert "● canary" in COLOUR.sub("", terminal.seen)
    assert "deployment dep1 has started" in terminal.seen
    assert "\x1b[2K" in terminal.seen  # the panel was taken away again
    assert out.getvalue() == "✔ release is deployed\n"
    assert view(console).broken == ""


def test_without_colour_there_is_none(terminal: Terminal) -> None:
    terminal.read()
    with shown(terminal, colour=False) as (console, _):
        tell(console, BACK)
        terminal.wait_for("rolling back")
    terminal.wait_for(SHOW)
    assert set(COLOUR.findall(terminal.seen)) <= {"\x1b[1m", "\x1b[2m", "\x1b[0m"}


def test_it_follows_the_terminal_when_its_size_changes(terminal: Terminal) -> None:
    terminal.read()
    with shown(terminal) as (console, _):
        tell(console, CANARY)
        terminal.wait_for("╭")
        before = len(terminal.seen)
        terminal.resize(60)
        deadline = time.monotonic() + WITHIN
        while not (rows := widths(terminal.seen[before:])) or rows[-1] > 60:
            assert time.monotonic() < deadline, rows
            time.sleep(0.02)
        tell(console, [("smoke", "after", {})])
        terminal.wait_for("after")
    assert widths(terminal.seen)[-1] <= 60


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, ValueError])
def test_the_cursor_comes_back_whatever_ends_the_run(terminal: Terminal, ending: type[BaseException]) -> None:
    terminal.read()

    def run() -> None:
        with shown(terminal) as (console, _):
            tell(console, CANARY)
            terminal.wait_for(HIDE)
            raise ending

    with pytest.raises(ending):
        run()
    terminal.wait_for(SHOW)
    assert terminal.seen.rindex(SHOW) > terminal.seen.rindex(HIDE)


def test_a_terminal_that_is_gone_ends_nothing(terminal: Terminal) -> None:
    with shown(terminal) as (console, out):
        tell(console, PREPARED)
        terminal.hang_up()
        tell(console, GOOD[len(PREPARED) :] * 3)
        console.result("succeeded", 0, "done")
    assert out.getvalue() == "✔ done\n"


def test_a_blocked_terminal_delays_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "PATIENCE", 0.2)
    with shown(terminal) as (console, out):  # nobody reads: its buffer fills
        for number in range(300):
            tell(console, [*CANARY, ("smoke", f"line {number} {'x' * 200}", {})])
        console.result("succeeded", 0, "done")
    assert out.getvalue() == "✔ done\n"
    terminal.read()  # lets the thread that draws go on to its end
    view(console)._thread.join(WITHIN)


def test_when_drawing_fails_lines_go_on_and_none_is_lost(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("drawn")

    monkeypatch.setattr(live, "panel", fail)
    terminal.read()
    with shown(terminal) as (console, _):
        tell(console, CANARY)
        terminal.wait_for("continuing with plain lines")
        tell(console, [("smoke", "after the fall", {})])
        terminal.wait_for("after the fall")
    assert terminal.seen.count("continuing with plain lines") == 1
    seen = " ".join(terminal.seen.split())  # long lines are wrapped
    for _, text, _ in CANARY:
        assert short(text) in seen


@pytest.mark.parametrize("why", ["no rich", "letters"])
def test_where_it_cannot_be_drawn_there_are_lines(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if why == "no rich":
        monkeypatch.setattr(live.importlib.util, "find_spec", lambda _name: None)
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8" if why == "no rich" else "latin-1")
    console = Console("live", err=stream)
    with attached_views(console, "deploy", {}):
        tell(console, CANARY)
    said = stream.buffer.getvalue().decode(stream.encoding)
    assert console._views == []
    assert "deployment dep1 has started" in said
    assert "\x1b" not in said


def test_a_task_without_steps_draws_nothing(terminal: Terminal) -> None:
    terminal.read()
    with shown(terminal) as (console, _):
        console.line("hello")
        terminal.wait_for("hello")
    assert HIDE not in terminal.seen
    assert "rich.live" not in sys.modules or view(console)._thread is None


def test_many_threads_may_report_at_once(terminal: Terminal) -> None:
    terminal.read()
    with shown(terminal) as (console, _):
        tell(console, PREPARED)

        def said(number: int) -> None:
            for each in range(20):
                tell(console, [("smoke", f"<{number}.{each}>", {}), CANARY[-1]])

        threads = [threading.Thread(target=said, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    terminal.wait_for(SHOW)
    assert all(f"<{number}.{each}>" in terminal.seen for number in range(4) for each in range(20))
