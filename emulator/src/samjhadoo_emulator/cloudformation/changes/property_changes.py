"""Which properties of a resource change, and whether that replaces the resource.

This is the only place that decides it: change sets show what `compare` returns, and the engine updates or
replaces by it. Create-only properties come from the type's schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Path = tuple[str, ...]
"""Names and indices from a resource's properties to a value."""


class Recreation(StrEnum):
    """Whether a change of a property replaces the resource."""

    NEVER = "Never"
    CONDITIONALLY = "Conditionally"
    ALWAYS = "Always"


class CreateOnly(Protocol):
    """The part of a type's schema that decides about replacements; paths have dots, as in `Volumes.*.Id`."""

    @property
    def create_only(self) -> Collection[str]: ...

    @property
    def conditional_create_only(self) -> Collection[str]: ...


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands for a value that is not there."""


@dataclass(frozen=True)
class PropertyChange:
    """One value that changes.

    Attributes:
        path: Where it is, below the resource's properties.
        before: The value so far, or ABSENT.
        after: The new value, or ABSENT.
        recreation: Whether this replaces the resource.
    """

    path: Path
    before: Any
    after: Any
    recreation: Recreation = Recreation.NEVER

    @property
    def name(self) -> str:
        """The name of the property that has the value."""
        return self.path[0]

    @property
    def kind(self) -> str:
        """What DescribeChangeSet calls the change: Add, Remove or Modify."""
        if self.before is ABSENT:
            return "Add"
        return "Remove" if self.after is ABSENT else "Modify"


def compare(
    before: dict[str, Any], after: dict[str, Any], schema: CreateOnly | None
) -> tuple[PropertyChange, ...]:
    """Return the values that differ, each with whether it replaces the resource.

    Args:
        before: The evaluated properties that the resource has.
        after: Those that the template wants; what is not known yet is equal to nothing.
        schema: The type's schema; without one every change is made in place.
    """
    return tuple(
        PropertyChange(path, old, new, recreation(path, schema))
        for path, old, new in _walk((), before, after)
    )


def replaces(changes: Iterable[PropertyChange]) -> bool:
    """Return whether changes replace the resource for certain."""
    return any(change.recreation is Recreation.ALWAYS for change in changes)


def recreation(path: Path, schema: CreateOnly | None) -> Recreation:
    """Return whether a change at a path replaces a resource of a type."""
    if schema is None:
        return Recreation.NEVER
    if any(_concerns(path, named) for named in schema.create_only):
        return Recreation.ALWAYS
    if any(_concerns(path, named) for named in schema.conditional_create_only):
        return Recreation.CONDITIONALLY
    return Recreation.NEVER


def same(before: Any, after: Any) -> bool:
    """Return whether CloudFormation sees no difference: scalars are compared by their text."""
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() == after.keys() and all(same(before[key], after[key]) for key in before)
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(same, before, after))
    return before is not ABSENT and after is not ABSENT and _text(before) == _text(after)


def _walk(path: Path, before: Any, after: Any) -> Iterator[tuple[Path, Any, Any]]:
    """Yield the deepest values that differ, in the order of the new properties."""
    if same(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys((*after, *before)):
            yield from _walk((*path, str(key)), before.get(key, ABSENT), after.get(key, ABSENT))
    elif isinstance(before, list) and isinstance(after, list):
        for index, (old, new) in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
            yield from _walk((*path, str(index)), old, new)
    else:
        yield path, before, after


def _concerns(path: Path, named: str) -> bool:
    """Return whether a value at `path` is, holds or belongs to what a schema's path names."""
    return all(name in ("*", step) for name, step in zip(named.split("."), path, strict=False))


def _text(value: Any) -> Any:
    """Return a scalar in the form in which CloudFormation compares it; other values as they are."""
    if isinstance(value, bool):
        return json.dumps(value)
    return str(value) if isinstance(value, int | float) else value
