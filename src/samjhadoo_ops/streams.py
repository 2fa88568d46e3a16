"""Writing to streams whatever their encoding, width, and even when they are closed; JSON of any value."""

from __future__ import annotations

import json
import math
import os
import re
import textwrap
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, TextIO

from samjhadoo_ops.redaction import clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ASCII = str.maketrans(
    {
        "✔": "+",
        "✘": "x",
        "\N{EN DASH}": "-",
        "●": "*",
        "○": "o",
        "→": "->",
        "…": "...",
        "≥": ">=",
        "≤": "<=",
        "·": "-",
    }
)
"""What replaces a symbol where the stream's encoding lacks it."""
_LONG = re.compile(
    r"(?<=sha256:)(?P<digest>[0-9a-f]{64})(?![0-9a-f])"
    r"|(?<![0-9a-f])(?P<id>[0-9a-f]{40}|[0-9a-f]{32})(?![0-9a-f])"
    r"|arn:aws[\w-]*:ecs:[^\s:]*:\d*:service-deployment/[^\s/]+/[^\s/]+/(?P<deployment>[\w-]+)"
    r"|arn:aws[\w-]*:elasticloadbalancing:[^\s:]*:\d*:(?:targetgroup|loadbalancer/\w+)/(?P<name>[\w-]+)/\w+"
)
_COMPARED = 12
"""As much of a digest, git sha or task id as people compare."""
_COMMAND = re.compile(r"\s*(?:invoke|aws)(?: [\w.-]+){1,3}(?: --[\w-]+(?:[= ][^\s-]\S*)?)+")
_BEFORE_COMMAND = re.compile(r"(?P<text>.*:) (?P<command>(?:invoke|aws|--[a-z]|SAMJHADOO_\w+=)[^:]*)")
"""A sentence that ends with a command."""
_TIED = "\0"
"""A space at which no line is broken."""
_NARROWEST = 40
_NARROWEST_COLUMN = 12
_GAP = "  "
_BY_WORD: Any = {"replace_whitespace": False, "break_long_words": False, "break_on_hyphens": False}


def short(text: str) -> str:
    """Return a text with its digests, shas and ids at the length that people compare, and names for ARNs."""

    def shortened(found: re.Match[str]) -> str:
        return found["deployment"] or found["name"] or (found["digest"] or found["id"])[:_COMPARED]

    return _LONG.sub(shortened, text)


def width_of(stream: TextIO) -> int:
    """Return the columns of the terminal that a stream is; 0 for anything else."""
    try:
        return max(_NARROWEST, os.get_terminal_size(stream.fileno()).columns) if stream.isatty() else 0
    except (OSError, ValueError):
        return 0


def wrapped(text: str, width: int, *, indent: int) -> list[str]:
    """Return the lines of a text wrapped by word; long words and commands stay whole.

    Args:
        text: It may have several lines already; the first words of each keep their place.
        width: The columns of the terminal; 0 for no limit.
        indent: Columns by which what follows a break is indented more than what comes before it.
    """
    lines = text.split("\n")
    if not width:
        return lines
    return [part for line in lines for part in _parts(line, width, indent)]


def _parts(line: str, width: int, indent: int) -> list[str]:
    if len(line) <= width or _COMMAND.fullmatch(line):
        return [line]
    below = " " * (indent + len(line) - len(line.lstrip()))
    if found := _BEFORE_COMMAND.fullmatch(line):
        line = f"{found['text']} {found['command'].replace(' ', _TIED)}"
    parts = textwrap.wrap(line, width, subsequent_indent=below, **_BY_WORD) or [""]
    return [part.replace(_TIED, " ") for part in parts]


def columned(rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Return the lines of a table; where it is too wide, its widest columns are wrapped by word.

    What does not fit its column then stands unbroken on a line of its own below, so that it can be copied.

    Args:
        rows: The first is the head.
        width: The columns of the terminal; 0 for no limit.
    """
    columns = list(zip(*rows, strict=True))
    widths = [max(1, *map(len, column)) for column in columns]
    words = [max([1, *(len(word) for cell in column for word in cell.split())]) for column in columns]
    for floors in (words, [_NARROWEST_COLUMN] * len(columns)) if width else ():
        _shrink(widths, floors, width)
    return [line for row in rows for line in _row(row, widths)]


def _shrink(widths: list[int], floors: Sequence[int], width: int) -> None:
    """Make columns after the first narrower, the widest first, until the table fits or all are at a floor."""
    while (excess := sum(widths) + len(_GAP) * (len(widths) - 1) - width) > 0:
        wide = [number for number in range(1, len(widths)) if widths[number] > floors[number]]
        if not wide:
            return
        widest = max(wide, key=widths.__getitem__)
        widths[widest] = max(floors[widest], widths[widest] - excess)


def _row(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    parts = [textwrap.wrap(cell, width, **_BY_WORD) for cell, width in zip(cells, widths, strict=True)]
    fits = [all(len(part) <= width for part in found) for found, width in zip(parts, widths, strict=True)]
    shown = [found if fit else [] for found, fit in zip(parts, fits, strict=True)]
    lines = [
        _GAP.join(part.ljust(width) for part, width in zip(line, widths, strict=True)).rstrip()
        for line in zip_longest(*shown, fillvalue="")
    ]
    below = [f"{_GAP}{cell}" for cell, fit in zip(cells, fits, strict=True) if not fit]
    return [*(lines or [""]), *below]


def write(stream: TextIO, text: str) -> None:
    """Print a line; replace what the stream's encoding lacks, and ignore that nobody reads the stream."""
    try:
        try:
            print(text, file=stream, flush=True)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            known = text.translate(_ASCII).encode(encoding, "backslashreplace").decode(encoding)
            print(known, file=stream, flush=True)
    except OSError:  # a closed pipe, a terminal that is gone, a full disk
        # A deployment must not stop half-way because its output is lost.
        _mute(stream)


def _mute(stream: TextIO) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def as_json(document: Mapping[str, Any]) -> str:
    """Return the document as one line of JSON; what JSON cannot represent (such as infinity) becomes text."""
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
    """Return what JSON cannot represent as text, without secrets."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(map(clean, map(str, value)))
    return clean(str(value))
