"""Foreign text where a format has a meaning of its own: Markdown, HTML, and GitHub's workflow commands."""

from __future__ import annotations

import re

_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_TICKS = re.compile(r"`+")
_COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
_LEAST_FENCE = 3


def markdown(text: str) -> str:
    """Return a text that Markdown shows as it is, in one line: no markup, HTML, links or table cells."""
    return _PUNCTUATION.sub(r"\\\1", _CONTROL.sub(" ", text)).strip()


def code(text: str, *, cell: bool = False) -> str:
    """Return a text as a code span, in one line.

    Args:
        text: What to show.
        cell: In a table, where a bar must be escaped even inside a code span.

    """
    said = _CONTROL.sub(" ", text).strip()
    if not said:
        return ""
    ticks = "`" * (_longest(said) + 1)
    pad = " " if said.startswith("`") or said.endswith("`") else ""
    return f"{ticks}{pad}{said.replace('|', chr(92) + '|') if cell else said}{pad}{ticks}"


def fenced(lines: list[str]) -> list[str]:
    """Return lines as a fenced block that nothing in them can end."""
    said = [_CONTROL.sub(" ", line) for line in lines]
    fence = "`" * max(_LEAST_FENCE, _longest("\n".join(said)) + 1)
    return [f"{fence}text", *said, fence]


def data(text: str) -> str:
    """Return a text as the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def value(text: str) -> str:
    """Return a text as a property of a workflow command."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


def command(name: str, message: str = "", **properties: str) -> str:
    """Return a workflow command, such as `::error title=…::message`."""
    told = ",".join(f"{key}={value(said)}" for key, said in properties.items() if said)
    return f"::{name}{f' {told}' if told else ''}::{data(message)}"


def harmless(text: str) -> str:
    """Return a text of which no line is a workflow command.

    GitHub's runner takes a line for one that begins with `::`, blanks before it aside, or that has `##[`
    anywhere.
    """
    text = text.replace("\r", "\n") if "\r" in text.replace("\r\n", "") else text
    return _COMMAND.sub(r"\1: :", text).replace("##[", "# #[")


def _longest(text: str) -> int:
    return max((len(run) for run in _TICKS.findall(text)), default=0)
