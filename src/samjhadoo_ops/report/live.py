"""The live view: a panel that is redrawn in place during a deployment, with lines of progress above it.

It has a thread of its own, and nothing waits for it: a terminal that is suspended, closed or unusual must
not stop or fail a deployment. If drawing fails, one message says so and plain lines take over.
"""

from __future__ import annotations

import importlib.util
import queue
import threading
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TextIO

from samjhadoo_ops.report.panel import clock_of, panel
from samjhadoo_ops.report.progress import RunProgress
from samjhadoo_ops.streams import write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REDRAW = 0.25
"""The most real seconds between two redraws."""
AT_ONCE = 0.03
"""Real seconds to wait for further lines, so that they are printed together."""
PATIENCE = 2.0
"""Real seconds that the last redraw may take when the run ends."""
NARROWEST = 40
MARGIN = 3
"""Columns left free: if the `^C` that a terminal echoes wrapped, the panel would move."""
_STARTING = frozenset({"step", "watching"})


def possible(stream: TextIO) -> bool:
    """Return whether rich (an extra) is installed and the terminal can show its characters."""
    letters = (stream.encoding or "").lower().startswith("utf")
    return letters and importlib.util.find_spec("rich") is not None


class LiveView:
    """Draws a run's events; a `View`.

    Args:
        stream: The terminal.
        colour: Whether to use colours.
        elapsed: Returns the real seconds since the run began.
    """

    def __init__(self, stream: TextIO, *, colour: bool, elapsed: Callable[[], float]) -> None:
        self.progress = RunProgress()
        self.broken = ""
        self._stream = stream
        self._colour = colour
        self._elapsed = elapsed
        self._queue: queue.SimpleQueue[tuple[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._handing = threading.Lock()

    def receive(self, event: str, text: str, fields: Mapping[str, Any]) -> None:
        """See `View.receive`; the panel appears with the first step."""
        if self._closed or self.broken:
            return
        if self._thread is None and event in _STARTING:
            self._thread = threading.Thread(target=self._run, name="live view", daemon=True)
            self._thread.start()
        self._queue.put(("event", (event, text, dict(fields), self._elapsed())))

    def put(self, text: str) -> bool:
        """See `View.put`."""
        with self._handing:
            if self._thread is None or self._closed or self.broken:
                return False
            self._queue.put(("line", text))
            return True

    def close(self) -> None:
        """See `View.close`; a terminal that blocks is waited for only briefly."""
        with self._handing:
            if self._closed:
                return
            self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        screen = None
        try:
            screen = Screen(self._stream, self.progress, colour=self._colour, elapsed=self._elapsed)
            screen.show(self._queue)
        except BaseException as error:  # noqa: BLE001  # drawing must never disturb the deployment
            with self._handing:
                self.broken = f"{type(error).__name__}: {error}"
            with suppress(Exception):
                write(self._stream, f"the live view failed ({self.broken}); continuing with plain lines")
                self._print_rest(screen.unshown if screen else [])

    def _print_rest(self, unshown: list[str]) -> None:
        """Print the lines that were queued and not shown."""
        for text in unshown:
            write(self._stream, text)
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return
            if item is not None and item[0] == "line":
                write(self._stream, item[1])


class Screen:
    """The terminal while the panel is drawn; used by one thread only."""

    def __init__(
        self, stream: TextIO, progress: RunProgress, *, colour: bool, elapsed: Callable[[], float]
    ) -> None:
        from rich.console import Console

        self._progress = progress
        self._elapsed = elapsed

        class Terminal(Console):
            def on_broken_pipe(self) -> None:
                """Raise: rich would close standard output, which may still be open."""
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
        """Lines that were taken from the queue and not printed yet."""

    def show(self, items: queue.SimpleQueue[tuple[str, Any] | None]) -> None:
        """Draw until the queue gives None; everything before it is shown."""
        try:
            self._start()
            while self._take(items):
                self._draw()
        finally:
            self._stop()

    def _take(self, items: queue.SimpleQueue[tuple[str, Any] | None]) -> bool:
        """Process what was queued since the last redraw; return False after the last item."""
        lines = self.unshown
        until = monotonic() + REDRAW
        more = True
        while more and (left := until - monotonic()) > 0:
            try:
                item = items.get(timeout=min(left, AT_ONCE) if lines else left)
            except queue.Empty:
                break
            if item is None:
                more = False
            elif item[0] == "line":
                lines.append(item[1])
            else:
                self._progress.record(*item[1])
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
        if self._console.width != self._width:  # the terminal has rewrapped the panel: start below it
            self._stop()
            self._start()
        self._live.refresh()

    def _lines(self, lines: list[str]) -> None:
        from rich.text import Text

        self._console.print(Text("\n").join(Text.from_ansi(line) for line in lines))

    def _picture(self) -> Any:
        clock = clock_of(self._progress)
        return panel(
            self._progress,
            width=max(NARROWEST, self._width - MARGIN),
            elapsed=self._elapsed(),
            now=clock.timestamp() if clock else None,
        )
