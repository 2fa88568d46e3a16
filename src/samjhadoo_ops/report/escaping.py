"""Escape text from elsewhere for Markdown, HTML and GitHub's workflow commands."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TICKS = re.compile(r"`+")
_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
_LEAST_FENCE = 3


def one_line(text: str) -> str:
    """Return a text without line breaks and other control characters."""
    return _CONTROL.sub(" ", text)


def markdown(text: str) -> str:
    """Return a text that Markdown shows unchanged, in one line: no markup, HTML, links or table cells."""
    return _PUNCTUATION.sub(r"\\\1", one_line(text)).strip()


def code(text: str, *, cell: bool = False) -> str:
    """Return a text as a code span, in one line; in a table's `cell`, `|` is escaped even there."""
    shown = one_line(text).strip()
    if not shown:
        return ""
    ticks = "`" * (_longest(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown.replace('|', chr(92) + '|') if cell else shown}{pad}{ticks}"


def fenced(lines: list[str]) -> list[str]:
    """Return lines as a fenced code block that no text in them can end."""
    shown = [one_line(line) for line in lines]
    fence = "`" * max(_LEAST_FENCE, _longest("\n".join(shown)) + 1)
    return [f"{fence}text", *shown, fence]


def data(text: str) -> str:
    """Return a text escaped as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    """Return a text escaped as a property of a workflow command."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def command(name: str, message: str = "", **properties: str) -> str:
    """Return a workflow command, such as `::error title=…::message`."""
    listed = ",".join(f"{key}={value(text)}" for key, text in properties.items() if text)
    return f"::{name}{f' {listed}' if listed else ''}::{data(message)}"


def harmless(text: str) -> str:
    """Return a text in which GitHub's runner sees no workflow command.

    The runner looks for lines that begin with `::`, after any spaces, and for `##[` anywhere in a line.
    """
    text = text.replace("\r", "\n") if "\r" in text.replace("\r\n", "") else text
    return _COMMAND.sub(r"\1: :", text).replace("##[", "# #[")


def _longest(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
