"""GitHub's expressions, as far as the workflows use them; what is not known here is an error."""

from __future__ import annotations

import re
from typing import Any

EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_STATUS = re.compile(r"\b(?:success|failure|always|cancelled)\(\)")
_TOKENS = re.compile(r"'[^']*'|&&|\|\||!(?!=)")
_WORDS = {"&&": " and ", "||": " or ", "!": " not "}


class Context(dict[str, Any]):
    """A context: a property that is missing is an empty string, and so are its own."""

    def __getattr__(self, name: str) -> Any:
        found = self.get(name, Context())
        return Context(found) if isinstance(found, dict) else found

    def __eq__(self, other: object) -> bool:
        return other == "" if not self else dict.__eq__(self, other)

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return "" if not self else dict.__str__(self)


def evaluate(expression: str, contexts: dict[str, Any]) -> Any:
    """Return the value of an expression without its braces.

    Raises:
        NameError: It names a context or function that the test does not provide.

    """
    translated = _TOKENS.sub(lambda found: _WORDS.get(found[0], found[0]), expression)
    return eval(translated.strip(), {"__builtins__": {}}, dict(contexts))


def interpolate(text: Any, contexts: dict[str, Any]) -> str:
    """Return a value with each `${{ … }}` replaced, as text."""
    return EXPRESSION.sub(lambda found: _text(evaluate(found[1], contexts)), _text(text))


def holds(condition: Any, contexts: dict[str, Any]) -> bool:
    """Tell whether an `if` holds; without a status function it needs success."""
    if condition is None:
        return bool(contexts["success"]())
    text = str(condition).strip()
    inner = EXPRESSION.fullmatch(text)
    expression = inner[1] if inner else text
    if not _STATUS.search(expression):
        expression = f"success() && ({expression})"
    return bool(evaluate(expression, contexts))


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
