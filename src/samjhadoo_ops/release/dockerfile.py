"""Parse a Dockerfile: its instructions, their words with variables substituted, and what it reads.

Reference: https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.patterns import expression
from samjhadoo_ops.release.platform import platform_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.release.context import BuildContext

_DIRECTIVE = re.compile(r"\s*#\s*(?P<name>syntax|escape|check)\s*=\s*(?P<value>.+?)\s*", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?P<brace>\{)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<form>(?(brace):?[-+?]|))?")
EVERYTHING = "*"
_HEREDOC = re.compile(r"<<(?P<tabs>-?)(?P<quote>[\"']?)(?P<end>[A-Za-z_]\w*)(?P=quote)")
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
    escape: str = "\\"


def read(file: Path, *, name: str) -> list[Instruction]:
    """Return a Dockerfile's instructions; raise `ConfigurationError` if it cannot be read."""
    try:
        return instructions(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        message = f"{name}: cannot be read: {error.strerror}"
        raise ConfigurationError(message, hint="correct build.dockerfile or build.bases") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{name}: is not UTF-8 text: {error}") from error
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def instructions(text: str) -> list[Instruction]:
    """Return a Dockerfile's instructions, with continued lines joined, comments and here-documents removed.

    Raises:
        ValueError: The parser directive `escape` has an impossible value.
    """
    lines = [line.rstrip("\r") for line in text.split("\n")]
    escape = _escape(lines)
    sign = re.escape(escape)
    continued = re.compile(rf"(?<!{sign}){sign}[ \t]*\Z")
    found: list[Instruction] = []
    position = 0
    while position < len(lines):
        start = position + 1
        joined, position = _joined(lines, position, continued)
        if joined:
            found.append(_instruction(start, joined, escape))
            position = _after_heredocs(lines, position, found[-1])
    return found


def _joined(lines: Sequence[str], position: int, continued: re.Pattern[str]) -> tuple[str, int]:
    """Return the instruction that starts at a line, empty if none does, and the position behind it.

    As in Docker, a continued line is joined as it stands, and comments and empty lines may stand in between.
    """
    joined = ""
    more = 0
    while position < len(lines):
        line, position = lines[position], position + 1
        if line.strip() and not line.lstrip().startswith("#"):
            text, more = continued.subn("", line if more else line.lstrip())
            joined += text
        if not more:
            break
    return joined.strip(), position


def _after_heredocs(lines: Sequence[str], position: int, instruction: Instruction) -> int:
    """Return the position behind the here-documents of an instruction."""
    if instruction.keyword in _FLAGS:
        for heredoc in _HEREDOC.finditer(instruction.value):
            rest = (line.lstrip("\t") if heredoc["tabs"] else line for line in lines[position:])
            length = next((count for count, line in enumerate(rest, 1) if line == heredoc["end"]), 0)
            position += length
    return position


def words(text: str, variables: Mapping[str, str], *, split: bool = True, escape: str = "\\") -> list[str]:
    """Return a text's words, with quotes and escapes removed and variables substituted.

    Args:
        text: An instruction's value.
        variables: Values for `$NAME`, `${NAME}` and `${NAME:-word}`, with `-`, `+` or `?`, and with or
            without a colon; unknown names are empty.
        split: Whether spaces separate words; otherwise the result is one word.
        escape: The character before one that has no special meaning.

    Raises:
        ValueError: A quote is not closed, a `${` has none of these forms, or what `?` asks for is missing.
    """
    return list(_words(text, variables, split=split, escape=escape))


def _words(text: str, variables: Mapping[str, str], *, split: bool, escape: str) -> Iterator[str]:
    word: str | None = None
    quote = ""
    position = 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == escape and quote != "'" and position < len(text):
            escaped = text[position]
            position += 1
            word = (word or "") + (escaped if not quote or escaped in f'"{escape}$' else escape + escaped)
        elif character in "'\"" and quote in ("", character):
            quote, word = ("" if quote else character), word or ""
        elif character == "$" and quote != "'":
            value, position = _variable(text, position - 1, variables, escape)
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


def _variable(text: str, position: int, variables: Mapping[str, str], escape: str) -> tuple[str, int]:
    """Return the value of the variable at a position, and the position behind it."""
    match = _VARIABLE.match(text, position)
    if match is None:
        if text.startswith("${", position):
            raise ValueError(f"{text[position:]!r} is not a supported form of a variable")
        return "$", position + 1
    name, form = match["name"], match["form"] or ""
    value = variables.get(name, "")
    if not match["brace"]:
        return value, match.end()
    end = _closing(text, match.end())
    if end < 0 or (not form and end > match.end()):
        raise ValueError(f"{text[position:]!r} is not a supported form of a variable")
    if form:
        word = "".join(words(text[match.end() : end], variables, split=False, escape=escape))
        is_set = bool(value) if form.startswith(":") else name in variables
        if form.endswith("?") and not is_set:
            raise ValueError(f"{name}: {word or 'is not set'}")
        value = {"-": value if is_set else word, "+": word if is_set else "", "?": value}[form[-1]]
    return value, end + 1


def _closing(text: str, position: int) -> int:
    """Return where the brace closes in which a position is; -1 if nowhere."""
    depth = 1
    for brace in re.finditer(r"\$\{|\}", text[position:]):
        depth += 1 if brace[0] == "${" else -1
        if not depth:
            return position + brace.start()
    return -1


def _instruction(line: int, text: str, escape: str) -> Instruction:
    keyword, *value = re.split(r"[\t\v\f\r ]+", text, maxsplit=1)
    return Instruction(line, keyword.upper(), "".join(value).strip(), escape)


def _escape(lines: Sequence[str]) -> str:
    """Return the character that continues lines: from the parser directive, or a backslash."""
    for line in lines:
        match = _DIRECTIVE.fullmatch(line)
        if match is None:
            break  # directives come before everything else
        if match["name"].lower() == "escape":
            if match["value"] not in ("\\", "`"):
                raise ValueError(f"escape={match['value']}: expected \\ or `")
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


def images(
    instructions: Sequence[Instruction], arguments: Mapping[str, str], *, platform: str = "native"
) -> list[str]:
    """Return the images that a Dockerfile is built on or copies from, with variables substituted.

    What cannot be parsed here is left out; the builder will report it.
    """
    known = {key: arguments.get(key, value) for key, value in platform_arguments(platform).items()}
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


def taken(context: BuildContext, patterns: Sequence[str]) -> list[str]:
    """Return the paths of a context that match one of the patterns, or are below or above a match."""
    found = [path for path in context.walk() if matches(path, patterns)]
    if any((context.root / path).is_symlink() for path in found):
        return list(context.walk())  # a link may lead to any of them
    return found


def matches(path: str, patterns: Sequence[str]) -> bool:
    """Return whether a path of the context matches one of the patterns, or is below or above a match."""
    return any(pattern == EVERYTHING or _touches(path, pattern) for pattern in patterns)


def _touches(path: str, pattern: str) -> bool:
    pairs = zip(path.split("/"), pattern.split("/"), strict=False)
    return all(expression(part).fullmatch(name) for name, part in pairs)


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
    if any(sign in text for sign in "$[\\`"):  # a variable, an escape, or the JSON form
        return [EVERYTHING]
    words = [word for word in text.split() if not word.startswith("--")]
    paths = [word.removeprefix("./").strip("/") for word in words[:-1] if "://" not in word]
    return [EVERYTHING if path in ("", ".") else path for path in paths]
