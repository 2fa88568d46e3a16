"""Parse a Dockerfile: its instructions, their words with variables substituted, and what it reads.

Reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_DIRECTIVE = re.compile(r"\s*#\s*(?P<name>[a-zA-Z]+)\s*=\s*(?P<value>\S+)\s*")
_VARIABLE = re.compile(
    r"\$(?:(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<form>[-+])(?P<word>[^{}]*))?\})"
)
EVERYTHING = "*"
_HEREDOC = re.compile(r"<<-?[\"']?[A-Za-z_]")
# Flags (https://docs.docker.com/reference/dockerfile/) that the classic builder does not support.
_FLAGS = {
    "RUN": ("--mount", "--network", "--security"),
    "COPY": ("--link", "--chmod", "--parents", "--exclude"),
    "ADD": ("--link", "--chmod", "--checksum", "--keep-git-dir", "--exclude"),
}


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


def buildkit_features(instructions: Sequence[Instruction]) -> Iterator[tuple[int, str]]:
    """Yield line and name of each feature that only BuildKit supports."""
    for each in instructions:
        flags = [word.partition("=")[0] for word in each.value.split() if word.startswith("--")]
        for flag in flags:
            if flag in _FLAGS.get(each.keyword, ()):
                yield each.line, f"{each.keyword} {flag}"
        if each.keyword in _FLAGS and _HEREDOC.search(each.value):
            yield each.line, f"{each.keyword} <<"


def images(instructions: Sequence[Instruction], arguments: Mapping[str, str]) -> list[str]:
    """Return the images that a Dockerfile is built on or copies from, with variables substituted.

    What cannot be parsed here is left out; the builder will report it.
    """
    known: dict[str, str] = {}
    stages: set[str] = set()
    found: list[str] = []
    begun = False
    for each in instructions:
        if each.keyword == "ARG" and not begun:
            known |= _argument(each, known, arguments)
        elif each.keyword == "FROM":
            begun = True
            name, stage = _origin(each, known)
            found += [name] if name.lower() not in stages else []
            stages.add(stage.lower())
        elif each.keyword == "COPY":
            found += [
                name for name in _flag(each, "--from") if name.lower() not in stages and not name.isdecimal()
            ]
    return [name for name in dict.fromkeys(found) if name]


def copied(instructions: Sequence[Instruction]) -> list[str]:
    """Return patterns for the context's files that a Dockerfile uses; `*` where they are unknown."""
    found: list[str] = []
    for each in instructions:
        if each.keyword in ("COPY", "ADD") and not any(_flag(each, "--from")):
            found += _sources(each)
        elif each.keyword == "RUN" and "--mount" in each.value:
            found.append(EVERYTHING)
    return found


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a path of the context matches one of the patterns, or is below a match."""
    return any(
        pattern == EVERYTHING or fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}/*")
        for pattern in patterns
    )


def arguments_of(instructions: Sequence[Instruction]) -> set[str]:
    """Return the names of the build arguments that a Dockerfile takes."""
    return {
        word.partition("=")[0]
        for each in instructions
        if each.keyword == "ARG"
        for word in each.value.split()
    }


def _argument(
    instruction: Instruction, known: Mapping[str, str], arguments: Mapping[str, str]
) -> dict[str, str]:
    try:
        pairs = [word.partition("=") for word in words(instruction.value, known)]
    except ValueError:
        return {}
    return {name: arguments.get(name, default) for name, _, default in pairs}


def _origin(instruction: Instruction, known: Mapping[str, str]) -> tuple[str, str]:
    """Return the image in FROM, and the name of the stage."""
    try:
        found = words(instruction.value, known)
    except ValueError:
        return "", ""
    found = [word for word in found if not word.startswith("--")]
    return (found or [""])[0], found[2] if len(found) > 2 else ""  # noqa: PLR2004 - FROM image AS stage


def _flag(instruction: Instruction, name: str) -> list[str]:
    return [
        value
        for flag, _, value in (word.partition("=") for word in instruction.value.split())
        if flag == name
    ]


def _sources(instruction: Instruction) -> list[str]:
    text = instruction.value
    if "$" in text or "[" in text:  # a variable, or the JSON form, whose words are not separated by spaces
        return [EVERYTHING]
    words = [word for word in text.split() if not word.startswith("--")]
    paths = [word.removeprefix("./").strip("/") for word in words[:-1] if "://" not in word]
    return [EVERYTHING if path in ("", ".") else path for path in paths]
