"""Joins lines into events by `awslogs-multiline-pattern` or `awslogs-datetime-format`.

The facts are Docker's awslogs driver's: a line that matches the pattern begins an event, others belong to the
event before, as long as that has room for them; the date format is strftime's, turned into a pattern.
"""

from __future__ import annotations

import re

_DATES = {
    "%A": r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day",
    "%a": r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%B": r"(?:January|February|March|April|May|June|July|August|September|October|November|December)",
    "%b": r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    "%d": r"[0-9]{2}",
    "%f": r"[0-9]{6}",
    "%H": r"[0-9]{2}",
    "%I": r"[0-9]{2}",
    "%j": r"[0-9]{3}",
    "%L": r"\.[0-9]{3}",
    "%M": r"[0-9]{2}",
    "%m": r"[0-9]{2}",
    "%p": r"[A-Z]{2}",
    "%S": r"[0-9]{2}",
    "%U": r"[0-9]{2}",
    "%w": r"[0-6]",
    "%Y": r"[0-9]{4}",
    "%y": r"[0-9]{2}",
    "%Z": r"[A-Z]{1,4}T",
    "%z": r"[+-][0-9]{4}",
    "%%": "%",
}


MOST_BYTES = 262_144 - 26
"""Bytes of an event of CloudWatch Logs; the driver sends one that is full, whatever comes next."""


class BadPatternError(ValueError):
    """The options make no valid pattern; the text describes what is wrong with them."""


class Assembler:
    """Makes events of lines.

    Args:
        pattern: What begins an event.

    """

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self._pattern = pattern
        self._lines: list[str] = []
        self._size = 0

    @property
    def waiting(self) -> bool:
        """Whether lines wait for more of their event."""
        return bool(self._lines)

    def take(self, line: str) -> str:
        """Take a line; return the event that it ends, empty if none."""
        size = len(line.encode()) + 1
        ends = self._size + size > MOST_BYTES or self._pattern.search(line)
        event = self.rest() if ends else ""
        self._lines.append(line)
        self._size += size
        return event

    def rest(self) -> str:
        """Return the event so far, and start the next one."""
        event = "\n".join(self._lines)
        self._lines, self._size = [], 0
        return event


def assembler(options: dict[str, str]) -> Assembler | None:
    """Return what joins lines for a container's log options; None if every line is an event.

    Raises:
        BadPatternError: Both options are given, or the pattern is not valid.

    """
    pattern, dates = options.get("awslogs-multiline-pattern"), options.get("awslogs-datetime-format")
    if pattern and dates:
        raise BadPatternError(
            "you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the "
            "same time"
        )
    if dates:
        pieces = re.split(r"(%.)", dates)
        pattern = "".join(_DATES.get(piece, re.escape(piece)) for piece in pieces)
    if not pattern:
        return None
    try:
        return Assembler(re.compile(pattern))
    except re.error as error:
        raise BadPatternError(
            f"awslogs could not parse multiline pattern key {pattern!r}: error parsing regexp: {error}"
        ) from error
