"""The base class of all settings tables, and questions about the types of their fields."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any, get_args

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of settings."""

    def problems(self) -> Iterator[tuple[str, str]]:
        """Yield contradictions between keys that are valid on their own, as (key, message)."""
        yield from ()


def section_of(kind: Any) -> type[msgspec.Struct] | None:
    """Return the Struct of a field's type (`X` or `X | None`); None for the type of a single value."""
    for option in (kind, *get_args(kind)):
        if isinstance(option, type) and issubclass(option, msgspec.Struct):
            return option
    return None


def is_table(kind: Any) -> bool:
    """Return whether the type is a table."""
    return section_of(kind) is not None


def is_optional(kind: Any) -> bool:
    """Return whether the type allows None."""
    return NoneType in get_args(kind)


def metas(kind: Any) -> list[msgspec.Meta]:
    """Return the constraints of a type and of its inner types."""
    found = [item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    inner = getattr(kind, "__origin__", None) if found else None
    for option in (inner, *get_args(kind)):
        if option is not None and not isinstance(option, msgspec.Meta) and option is not kind:
            found += metas(option)
    return found
