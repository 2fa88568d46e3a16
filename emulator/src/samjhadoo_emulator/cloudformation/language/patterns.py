"""Regular expressions of templates and schemas: written for Java, and perhaps expensive on purpose."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import regex

NUMBER: Final = re.compile(r"\s*[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]{1,3})?\s*")
"""A number as templates write it: Python also reads `1_000`, `nan` and `inf`."""
_SECONDS: Final = 0.5
"""How long one match may take: the event loop waits for it."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> regex.Pattern[str] | None:
    """Return a pattern, or None if it is malformed."""
    import regex

    try:
        return regex.compile(pattern)
    except (regex.error, OverflowError, RecursionError):
        return None


def matches(pattern: str, text: str, *, whole: bool = False) -> bool:
    """Return whether a text matches; one that takes too long, or a malformed pattern, counts as a match."""
    found = compiled(pattern)
    if found is None:
        return True
    try:
        return bool(
            found.fullmatch(text, timeout=_SECONDS) if whole else found.search(text, timeout=_SECONDS)
        )
    except TimeoutError:
        return True
