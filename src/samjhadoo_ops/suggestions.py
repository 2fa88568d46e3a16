"""The known name that a wrong one was probably meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHORTEST = 3


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one known name that begins like the word or is spelt nearly the same; empty without one."""
    names = {name.lower(): name for name in known}
    wanted = word.lower()
    begun = [name for name in names if name.startswith(wanted) or wanted.startswith(name)]
    if len(begun) == 1 and min(len(wanted), len(begun[0])) >= _SHORTEST:
        return names[begun[0]]
    near = difflib.get_close_matches(wanted, names, n=1)
    return names[near[0]] if near else ""
