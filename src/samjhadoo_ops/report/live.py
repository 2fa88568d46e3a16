"""The live view: a panel redrawn in place while a deployment is watched, lines of progress above it.

It runs in a thread of its own, and nothing waits for it: a terminal that is stopped, gone or strange must
not stop or fail a deployment. When drawing fails, that is told once and lines go on as lines.
"""

from __future__ import annotations

import importlib.util
import queue
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

from samjhadoo_ops.report.panel import clock_of, panel
from samjhadoo_ops.report.story import Story
from samjhadoo_ops.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REDRAW = 0.25
"""Real seconds between two pictures at most."""
AT_ONCE = 0.03
"""Real seconds in which further lines are shown together with one that has come."""
PATIENCE = 2.0
"""Real seconds that the last picture may take when the run ends."""
NARROWEST = 40
MARGIN = 3
"""Columns left free: the `^C` that a terminal echoes must not wrap, or the panel moves."""
_STARTING = frozenset({"step", "watching"})


def possible(stream: TextIO) -> bool:
    """Tell whether there is anything to draw with (rich is an extra), and a terminal that has the letters."""
    letters = (stream.encoding or "").lower().startswith("utf")
    return letters and importlib.util.find_spec("rich") is not None


class LiveView:
    """Draws what the console is told; a `View`.

    Args:
        stream: The terminal.
        colour: Whether colours are welcome.
        elapsed: Returns the real seconds since the run began.

    """

    def __init__(self, stream: TextIO, *, colour: bool, elapsed: Callable[[], float]) -> None:
        self.story = Story()
        self.broken = ""
        self._stream = stream
        self._colour = colour
        self._elapsed = elapsed
        self._told: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._handing = threading.Lock()

    def heard(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.heard`; a panel appears with the first step."""
        if self._closed or self.broken:
            return
        if self._thread is None and event in _STARTING:
            self._thread = threading.Thread(target=self._run, name="live view", daemon=True)
            self._thread.start()
        self._told.put(("event", (event, text, dict(fields), self._elapsed())))

    def put(self, text: str) -> bool:
        """See `View.put`."""
        with self._handing:
            if self._thread is None or self._closed or self.broken:
                return False
            self._told.put(("line", text))
            return True

    def close(self) -> None:
        """See `View.close`; a terminal that takes nothing more is left behind."""
        with self._handing:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._told.put(None)
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        screen = None
        try:
            screen = Screen(self._stream, self.story, colour=self._colour, elapsed=self._elapsed)
            screen.show(self._told)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is no matter of the deployment's
            with self._handing:
                self.broken = f"{type(error).__name__}: {error}"
            with suppress(Exception):
                write(self._stream, f"the live view ended ({self.broken}); going on in lines")
                self._let_out(screen.unshown if screen else [])

    def _let_out(self, unshown: list[str]) -> None:
        """Write the lines that were handed over and not shown."""
        for text in unshown:
            write(self._stream, text)
        while True:
            try:
                item = self._told.get_nowait()
            except queue.Empty:
                return
            if item is not None and item[0] == "line":
                write(self._stream, item[1])


class Screen:
    """The terminal while it is drawn upon; used by one thread alone."""

    def __init__(self, stream: TextIO, story: Story, *, colour: bool, elapsed: Callable[[], float]) -> None:
        from rich.console import Console

        self._story = story
        self._elapsed = elapsed

        class Terminal(Console):
            def on_broken_pipe(self) -> None:
                """Raise: rich would close standard output, which may live."""
                raise ConnectionError("the terminal is gone")

        self._console = Terminal(
            file=stream,
            color_system="auto" if colour else None,
            no_color=not colour,
            force_terminal=True,
            force_interactive=True,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
        )
        self._width = 0
        self._live: Any = None
        self.unshown: list[str] = []
        """Lines that were taken and not shown yet."""

    def show(self, told: queue.SimpleQueue[tuple[str, Any] | None]) -> None:
        """Draw until None is told; what was told before is shown."""
        try:
            self._start()
            while self._take(told):
                self._draw()
        finally:
            self._stop()

    def _take(self, told: queue.SimpleQueue[tuple[str, Any] | None]) -> bool:
        """Take what was told since the last picture, the lines at once; return False when that was all."""
        lines = self.unshown
        until = monotonic() + REDRAW
        more = True
        while more and (left := until - monotonic()) > 0:
            try:
                item = told.get(timeout=min(left, AT_ONCE) if lines else left)
            except queue.Empty:
                break
            if item is None:
                more = False
            elif item[0] == "line":
                lines.append(item[1])
            else:
                self._story.tell(*item[1])
        if lines:
            self._lines(lines)
            self.unshown = []
        return more

    def _start(self) -> None:
        from rich.live import Live

        self._width = self._console.width
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self._picture,
        )
        self._live.start()

    def _stop(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    def _draw(self) -> None:
        if self._console.width != self._width:  # what was drawn has been wrapped anew: begin below it
            self._stop()
            self._start()
        self._live.refresh()

    def _lines(self, lines: list[str]) -> None:
        from rich.text import Text

        self._console.print(Text("\n").join(Text.from_ansi(line) for line in lines))

    def _picture(self) -> Any:
        clock = clock_of(self._story)
        return panel(
            self._story,
            width=max(NARROWEST, self._width - MARGIN),
            elapsed=self._elapsed(),
            now=clock.timestamp() if clock else None,
        )
