"""Docker's file patterns: those of COPY, and those of `.dockerignore`, as https://github.com/moby/patternmatcher."""

from __future__ import annotations

import codecs
import posixpath
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_CHARACTER = r"(?:\\.|[^\]\\-])"
_TOKEN = re.compile(
    rf"(?P<stars>\*\*/?|\*)|(?P<any>\?)|\\(?P<escaped>.)"
    rf"|\[(?P<negated>\^?)(?P<members>(?:{_CHARACTER}(?:-{_CHARACTER})?)+)\]|(?P<plain>[^\\\[])",
    re.DOTALL,
)


@cache
def expression(pattern: str, *, recursive: bool = False) -> re.Pattern[str]:
    """Return a pattern in Go's syntax (`filepath.Match`) as a regular expression.

    Args:
        recursive: Whether `**` stands for any number of folders, as in `.dockerignore`.

    Raises:
        ValueError: The pattern is malformed.
    """
    made, position = "", 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise ValueError(f"{pattern!r} is not a valid pattern")
        position = token.end()
        if token["stars"]:
            made += _stars(token["stars"], pattern[position:], recursive=recursive, first=not made)
        elif token["any"]:
            made += "[^/]"
        elif token["members"]:
            members = re.sub(r"\\?(.)", _member, token["members"], flags=re.DOTALL)
            made += f"[{token['negated']}{members}]"
        else:
            made += re.escape(token["escaped"] or token["plain"])
    try:
        return re.compile(made, re.DOTALL)
    except re.error as error:  # a range from a higher to a lower character
        raise ValueError(f"{pattern!r} is not a valid pattern: {error}") from error


def _stars(stars: str, rest: str, *, recursive: bool, first: bool) -> str:
    if not recursive or stars == "*":
        return "[^/]*" + stars.lstrip("*")
    # Docker compares just the end of a path with a pattern such as **.log.
    is_suffix = first and stars == "**" and not re.search(r"[*?\\\[\]]", rest)
    return ".*" if is_suffix or not rest else "(?:.*/)?"


def _member(match: re.Match[str]) -> str:
    return "-" if match[0] == "-" else re.escape(match[1])


@dataclass(frozen=True)
class IgnoreRule:
    """A line of `.dockerignore`: what it matches, with everything below, and whether it starts with `!`."""

    expression: re.Pattern[str]
    exception: bool


def read_rules(file: Path) -> tuple[IgnoreRule, ...]:
    """Return the rules of a `.dockerignore`; raise `ConfigurationError` if it cannot be understood."""
    content = file.read_bytes().removeprefix(codecs.BOM_UTF8)
    if b"\0" in content or content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ConfigurationError(f"{file} is not UTF-8 text", hint="save it as UTF-8")
    rules = []
    for number, line in enumerate(content.decode(errors="surrogateescape").split("\n"), 1):
        if line.startswith("#") or not line.strip():
            continue
        try:
            rules.append(_rule(line.strip()))
        except ValueError as error:
            raise ConfigurationError(f"{file}:{number}: {error}") from error
    return tuple(rules)


def _rule(line: str) -> IgnoreRule:
    exception, pattern = line.startswith("!"), line.removeprefix("!").strip()
    if not pattern:
        raise ValueError("a pattern has to follow the !")
    pattern = posixpath.normpath(pattern).lstrip("/")
    below = f"(?:{expression(pattern, recursive=True).pattern})(?:/.*)?"
    return IgnoreRule(re.compile(below, re.DOTALL), exception)


def is_ignored(path: str, rules: Sequence[IgnoreRule]) -> bool:
    """Return whether the last rule that matches a path, given relative to the context, excludes it."""
    ignored = False
    for rule in rules:
        if rule.exception == ignored and rule.expression.fullmatch(path):
            ignored = not rule.exception
    return ignored
