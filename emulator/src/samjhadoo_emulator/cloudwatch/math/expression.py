"""The grammar of metric math: operators by precedence, functions, lists, strings.

Source: CloudWatch user guide, "Using math expressions with CloudWatch metrics".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


class ExpressionError(Exception):
    """An expression cannot be parsed or computed; the text explains why."""


@dataclass(frozen=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True)
class Text:
    """A text in quotes."""

    value: str


@dataclass(frozen=True)
class Name:
    """An id, or a constant in capitals."""

    value: str


@dataclass(frozen=True)
class FunctionCall:
    """A function's call."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True)
class Array:
    """A list in brackets."""

    items: tuple[Node, ...]


@dataclass(frozen=True)
class Operation:
    """An operator with its operands; `-` with one operand is the negative."""

    operator: str
    operands: tuple[Node, ...]


Node = Number | Text | Name | FunctionCall | Array | Operation

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z][A-Za-z0-9_]*)"
    r"|(?P<text>\"[^\"]*\"|'[^']*')|(?P<operator>==|!=|<=|>=|&&|\|\||[-+*/^<>(),\[\]]))"
)
_BINDING = {"||": 1, "OR": 1, "&&": 2, "AND": 2}
_BINDING |= dict.fromkeys(("==", "!="), 3) | dict.fromkeys(("<", ">", "<=", ">="), 4)
_BINDING |= dict.fromkeys(("+", "-"), 5) | dict.fromkeys(("*", "/"), 6) | {"^": 8}
_NEGATION = 7
DEEPEST = 50


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """Return an expression's tree."""
    parser = _Parser(_tokens(text))
    node = parser.expression(0, 0)
    if parser.tokens[parser.at][0] != "end":
        raise ExpressionError(f"Unexpected {parser.tokens[parser.at][1]!r}")
    return node


@lru_cache(maxsize=4096)
def names(node: Node) -> frozenset[str]:
    """Return the ids that an expression names; those of the functions METRICS are not among them."""
    if isinstance(node, Name):
        return frozenset((node.value,))
    children = (
        node.arguments
        if isinstance(node, FunctionCall)
        else node.items
        if isinstance(node, Array)
        else node.operands
        if isinstance(node, Operation)
        else ()
    )
    return frozenset().union(*map(names, children))


def calls(node: Node, function: str) -> bool:
    """Return whether an expression calls a function."""
    if isinstance(node, FunctionCall):
        return node.name == function or any(calls(each, function) for each in node.arguments)
    children = node.items if isinstance(node, Array) else node.operands if isinstance(node, Operation) else ()
    return any(calls(each, function) for each in children)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match or match.lastgroup is None:
            raise ExpressionError(f"Unexpected character at position {at}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return [*tokens, ("end", "")]


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens = tokens
        self.at = 0

    def expression(self, binding: int, depth: int) -> Node:
        if depth > DEEPEST:
            raise ExpressionError("The expression is nested too deeply")
        left = self._first(depth)
        while True:
            operator = self.tokens[self.at][1].upper()
            power = _BINDING.get(operator, 0) if self.tokens[self.at][0] != "text" else 0
            if not power or power <= binding:
                return left
            self.at += 1
            left = Operation(
                {"AND": "&&", "OR": "||"}.get(operator, operator), (left, self.expression(power, depth + 1))
            )

    def _first(self, depth: int) -> Node:
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return Number(float(text))
        if kind == "text":
            return Text(text[1:-1])
        if kind == "name":
            if self.tokens[self.at][1] == "(":
                self.at += 1
                return FunctionCall(text.upper(), self._items(")", depth))
            return Name(text)
        if text == "-":
            return Operation("-", (self.expression(_NEGATION, depth + 1),))
        if text == "(":
            inner = self.expression(0, depth + 1)
            self._expect(")")
            return inner
        if text == "[":
            return Array(self._items("]", depth))
        raise ExpressionError("The expression is incomplete" if kind == "end" else f"Unexpected {text!r}")

    def _items(self, closing: str, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        if self.tokens[self.at][1] == closing:
            self.at += 1
            return ()
        while True:
            items.append(self.expression(0, depth + 1))
            if self.tokens[self.at][1] != ",":
                self._expect(closing)
                return tuple(items)
            self.at += 1

    def _expect(self, wanted: str) -> None:
        if self.tokens[self.at] != ("operator", wanted):
            raise ExpressionError(f"{wanted!r} expected")
        self.at += 1
