"""What a field of the settings' Structs holds: a table with keys of its own, or a value."""

from __future__ import annotations

from types import NoneType
from typing import Any, get_args

import msgspec


def section_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the Struct that a field's type stands for (`X` or `X | None`), None for a value's type."""
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def is_table(kind: Any) -> bool:
    """Return whether the type has keys of its own."""
    return section_of(kind) is not None


def is_optional(kind: Any) -> bool:
    """Return whether the type allows None."""
    return NoneType in get_args(kind)


def metas(kind: Any) -> list[msgspec.Meta]:
    """Return the constraints of a type and of the types inside it."""
    found = [item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    inner = getattr(kind, "__origin__", None) if found else None
    for option in (inner, *get_args(kind)):
        if option is not None and not isinstance(option, msgspec.Meta) and option is not kind:
            found += metas(option)
    return found
