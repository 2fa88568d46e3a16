"""A composite alarm's rule: states of other alarms with AND, OR, NOT, TRUE and FALSE. No I/O.

Source: CloudWatch API reference, PutCompositeAlarm.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CHILDREN = 100
MOST_ELEMENTS = 500

_TOKEN = re.compile(
    r"\s*(?:(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:\"(?P<quoted>[^\"]+)\"|(?P<plain>[^()\"]+?))\s*\)"
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)\b|(?P<bracket>[()]))"
)


class RuleError(Exception):
    """A rule cannot be parsed; the text explains why."""


@dataclass(frozen=True)
class Is:
    """Whether an alarm, given by name or ARN, is in a state."""

    alarm: str
    state: str


@dataclass(frozen=True)
class Constant:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True)
class Logic:
    """AND, OR or NOT of terms."""

    operator: str
    terms: tuple[Term, ...]


Term = Is | Constant | Logic


@lru_cache(maxsize=4096)
def parse(text: str) -> Term:
    """Return a rule's tree."""
    reader = _Reader(_tokens(text))
    term = reader.any_of()
    if reader.at < len(reader.tokens):
        raise RuleError(f"unexpected {reader.tokens[reader.at]!s}")
    if len(set(children(term))) > MOST_CHILDREN:
        raise RuleError("the rule names more than 100 alarms")
    return term


def children(term: Term) -> list[str]:
    """Return the alarms that a rule names, in order."""
    if isinstance(term, Is):
        return [term.alarm]
    if isinstance(term, Logic):
        return list(dict.fromkeys(name for each in term.terms for name in children(each)))
    return []


def holds(term: Term, state: Callable[[str], str]) -> bool:
    """Return whether a rule is true; `state` gives an alarm's."""
    if isinstance(term, Is):
        return state(term.alarm) == term.state
    if isinstance(term, Constant):
        return term.value
    values = (holds(each, state) for each in term.terms)
    if term.operator == "NOT":
        return not next(values)
    return all(values) if term.operator == "AND" else any(values)


def _tokens(text: str) -> list[Is | str]:
    tokens: list[Is | str] = []
    at, text = 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise RuleError(f"unexpected text at position {at}: {text[at : at + 20]!r}")
        if match["state"]:
            tokens.append(Is(match["quoted"] or match["plain"], match["state"]))
        else:
            tokens.append(match["word"] or match["bracket"])
        at = match.end()
    if len(tokens) > MOST_ELEMENTS:
        raise RuleError("the rule has more than 500 elements")
    return tokens


class _Reader:
    def __init__(self, tokens: list[Is | str]) -> None:
        self.tokens = tokens
        self.at = 0

    def any_of(self) -> Term:
        return self._joined("OR", lambda: self._joined("AND", self._term))

    def _joined(self, word: str, read: Callable[[], Term]) -> Term:
        terms = [read()]
        while self._take(word):
            terms.append(read())
        return terms[0] if len(terms) == 1 else Logic(word, tuple(terms))

    def _term(self) -> Term:
        if self._take("NOT"):
            return Logic("NOT", (self._term(),))
        if self._take("("):
            inner = self.any_of()
            if not self._take(")"):
                raise RuleError("a bracket is not closed")
            return inner
        for word, value in (("TRUE", True), ("FALSE", False)):
            if self._take(word):
                return Constant(value)
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        if not isinstance(token, Is):
            raise RuleError("the rule is incomplete" if token is None else f"unexpected {token!r}")
        self.at += 1
        return token

    def _take(self, word: str) -> bool:
        taken = self.at < len(self.tokens) and self.tokens[self.at] == word
        self.at += taken
        return taken
