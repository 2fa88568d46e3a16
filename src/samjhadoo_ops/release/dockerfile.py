"""Parse a Dockerfile: its instructions with line numbers, and their words with variables substituted.

Reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DIRECTIVE = re.compile(r"\s*#\s*(?P<name>[a-zA-Z]+)\s*=\s*(?P<value>\S+)\s*")
_VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<form>[-+])(?P<word>[^{}]*))?\})"
)


@dataclass(frozen=True)
class Instruction:
    """An instruction: its first line (counted from 1), its keyword in capitals, and the rest."""

    line: int
    keyword: str
    value: str


def instructions(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions, with continued lines joined and comments removed."""
    escape = _escape(text)
    found: list[Instruction] = []
    pending: list[str] = []
    start = 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue  # also between the continued lines of an instruction
        start = start or number
        pending.append(stripped.removesuffix(escape))
        if not stripped.endswith(escape):
            found.append(_instruction(start, " ".join(pending)))
            pending, start = [], 0
    if pending:
        found.append(_instruction(start, " ".join(pending)))
    return found


def words(text: str, variables: Mapping[str, str], *, split: bool = True) -> list[str]:
    """Return a text's words, with quotes and escapes removed and variables substituted.

    Args:
        text: An instruction's value.
        variables: Values for `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}`; unknown names are
            empty.
        split: Whether spaces separate words; otherwise the result is one word.

    Raises:
        ValueError: A quote is not closed, or a `${` has none of these forms.

    """
    return list(_words(text, variables, split=split))


def _words(text: str, variables: Mapping[str, str], *, split: bool) -> Iterator[str]:
    word: str | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\" and quote != "'" and position < len(text):
            escaped = text[position]
            position += 1
            word = (word or "") + (escaped if not quote or escaped in '"\\$' else "\\" + escaped)
        elif character in "'\"" and quote in ("", character):
            quote, word = ("" if quote else character), word or ""
        elif character == "$" and quote != "'":
            value, position = _variable(text, position - 1, variables)
            word = (word or "") + value
        elif split and not quote and character.isspace():
            if word is not None:
                yield word
            word = None
        else:
            word = (word or "") + character
    if quote:
        raise ValueError(f"the quote {quote} is not closed")
    if word is not None:
        yield word


def _variable(text: str, position: int, variables: Mapping[str, str]) -> tuple[str, int]:
    match = _VARIABLE.match(text, position)
    if match is None:
        if text.startswith("${", position):
            raise ValueError(f"{text[position:]!r} is not a supported form of a variable")
        return "$", position + 1
    value = variables.get(match["plain"] or match["name"], "")
    if match["form"] == "-":
        value = value or "".join(words(match["word"], variables, split=False))
    elif match["form"] == "+":
        value = "".join(words(match["word"], variables, split=False)) if value else ""
    return value, match.end()


def _instruction(line: int, text: str) -> Instruction:
    keyword, _, value = text.strip().partition(" ")
    if "\t" in keyword:
        keyword, _, rest = keyword.partition("\t")
        value = f"{rest} {value}"
    return Instruction(line, keyword.upper(), value.strip())


def _escape(text: str) -> str:
    """Return the character that continues lines: from the parser directive, or a backslash."""
    for line in text.splitlines():
        match = _DIRECTIVE.fullmatch(line)
        if match is None:
            break  # directives come before everything else
        if match["name"].lower() == "escape":
            return match["value"]
    return "\\"
