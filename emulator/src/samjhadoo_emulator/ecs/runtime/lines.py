"""Cuts what a container writes into lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LINE_LIMIT = 262_144 - 26
"""Bytes of a line; CloudWatch Logs takes no more in one event. Longer lines are cut into several."""


class Lines:
    """Cuts a stream of bytes into lines."""

    def __init__(self, output: Callable[[bytes], None]) -> None:
        self._output = output
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take what has been written."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._put(line.removesuffix(b"\r"))
        while len(self._rest) > LINE_LIMIT:
            self._put(self._rest[:LINE_LIMIT])
            self._rest = self._rest[LINE_LIMIT:]

    def end(self) -> None:
        """Take the last line, which may have no end."""
        if self._rest:
            self._put(self._rest)
        self._rest = b""

    def _put(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LINE_LIMIT):
            self._output(line[start : start + LINE_LIMIT])
