"""Values deep in properties that may not be known yet, or not have the form that the schema asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def values(properties: Any, path: str) -> Iterator[Any]:
    """Yield what is at a path such as `DefaultActions.*.Type`, where a star is every item of a list."""
    if not path:
        yield properties
        return
    step, _, rest = path.partition(".")
    if step == "*" and isinstance(properties, list):
        for each in properties:
            yield from values(each, rest)
    elif isinstance(properties, dict) and step in properties:
        yield from values(properties[step], rest)
