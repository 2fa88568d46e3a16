"""How a resource differs from its template: drift. No I/O.

Only properties that the template names are compared. Of what a resource type reads, a property that is None
is gone at AWS; one that is missing cannot be read, and is not compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.changes.property_changes import ABSENT, same

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from samjhadoo_emulator.cloudformation.changes.property_changes import Path
    from samjhadoo_emulator.cloudformation.language.schemas import Schema
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

_DYNAMIC: Final = "{{resolve:"


@dataclass(frozen=True)
class PropertyDifference:
    """One value that is not as the template wants it.

    Attributes:
        path: Where it is, below the resource's properties.
        expected: The template's value, or ABSENT.
        actual: The value at AWS, or ABSENT.
    """

    path: Path
    expected: Any
    actual: Any

    @property
    def kind(self) -> str:
        """DetectStackResourceDrift's DifferenceType."""
        if self.expected is ABSENT:
            return "ADD"
        return "REMOVE" if self.actual is ABSENT else "NOT_EQUAL"


def compared(
    expected: Properties, actual: Properties, schema: Schema | None
) -> tuple[Properties, Properties]:
    """Return the properties that can be compared, as the template wants them and as they are."""
    hidden = schema.write_only if schema else ()
    names = [name for name in expected if name in actual and name not in hidden]
    return (
        {name: expected[name] for name in names},
        {name: actual[name] for name in names if actual[name] is not None},
    )


def property_differences(
    expected: Properties, actual: Properties, schema: Schema | None, *, stack_tags: Collection[str] = ()
) -> tuple[PropertyDifference, ...]:
    """Return the values that are not as the template wants them.

    Args:
        expected: The evaluated properties of the template.
        actual: What the resource type has read.
        stack_tags: The keys of the tags that the resource has from its stack.
    """
    walk = _Walk(schema, frozenset(stack_tags))
    found = walk.of((), *compared(expected, actual, schema))
    return tuple(found)


@dataclass(frozen=True)
class _Walk:
    schema: Schema | None
    stack_tags: frozenset[str]

    def of(self, path: Path, expected: Any, actual: Any) -> Iterator[PropertyDifference]:
        expected, actual = _like(expected, actual), _like(actual, expected)
        if self._equal(path, expected, actual):
            return
        if isinstance(expected, dict) and isinstance(actual, dict):
            yield from self._of_objects(path, expected, actual)
        elif isinstance(expected, list) and isinstance(actual, list):
            yield from self._of_lists(path, expected, actual)
        else:
            yield PropertyDifference(path, expected, actual)

    def _equal(self, path: Path, expected: Any, actual: Any) -> bool:
        if isinstance(expected, str) and _DYNAMIC in expected:
            return True  # only its text is known here
        if self._is_write_only(path) or same(expected, actual) or _same_number(expected, actual):
            return True
        return self._is_transformed(path) and _other_form(str(expected), str(actual))

    def _of_objects(
        self, path: Path, expected: Properties, actual: Properties
    ) -> Iterator[PropertyDifference]:
        for name in expected:
            yield from self.of((*path, name), expected[name], actual.get(name, ABSENT))
        if path and self._is_map(path):
            for name in actual.keys() - expected.keys():
                yield PropertyDifference((*path, name), ABSENT, actual[name])

    def _of_lists(self, path: Path, expected: list[Any], actual: list[Any]) -> Iterator[PropertyDifference]:
        """Compare lists without regard to their order, as AWS often returns another one."""
        others = [item for item in actual if not self._is_of_stack(item)]
        missing = []
        for index, item in enumerate(expected):
            place = (*path, str(index))
            match = next((other for other in others if not list(self.of(place, item, other))), ABSENT)
            if match is ABSENT:
                missing.append((place, item))
            else:
                others.remove(match)
        for place, item in missing:
            partner = next((other for other in others if _key(other) == _key(item)), ABSENT)
            if partner is not ABSENT:
                others.remove(partner)
            yield from self.of(place, item, partner)
        for offset, item in enumerate(others):
            yield PropertyDifference((*path, str(len(expected) + offset)), ABSENT, item)

    def _is_of_stack(self, item: Any) -> bool:
        """Return whether an item is a tag that CloudFormation itself gives, or gives from the stack."""
        key = item.get("Key") if isinstance(item, dict) else None
        return isinstance(key, str) and (key.startswith("aws:") or key in self.stack_tags)

    def _is_write_only(self, path: Path) -> bool:
        return bool(self.schema and self.schema.write_only & _names(path))

    def _is_transformed(self, path: Path) -> bool:
        transforms = self.schema.document.get("propertyTransform", {}) if self.schema else {}
        return any(f"/properties/{name.replace('.', '/')}" in transforms for name in _names(path))

    def _is_map(self, path: Path) -> bool:
        """Return whether the value at a path has keys of the user's, rather than the schema's."""
        node: dict[str, Any] = self.schema.document if self.schema else {}
        for step in path:
            node = self._resolved(node)
            node = node.get("items", {}) if step.isdecimal() else node.get("properties", {}).get(step, {})
        return "properties" not in self._resolved(node)

    def _resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        name = node.get("$ref", "").rpartition("/")[2]
        definitions = self.schema.document.get("definitions", {}) if self.schema else {}
        return definitions.get(name, node) if name else node


def _names(path: Path) -> set[str]:
    """Return a path as schemas name it, with a star for every item of a list."""
    return {".".join("*" if step.isdecimal() else step for step in path)}


def _like(value: Any, other: Any) -> Any:
    """Return a JSON text as its object, if the other value is one: policies come in both forms."""
    if isinstance(value, str) and isinstance(other, dict | list):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _key(item: Any) -> Any:
    """Return what makes two different items the same one: a tag's key, or a scalar itself."""
    if isinstance(item, dict):
        return next((item[name] for name in ("Key", "Name", "Id") if name in item), "an object")
    return item if isinstance(item, str) else "a value"


def _same_number(expected: Any, actual: Any) -> bool:
    """Return whether AWS answers a number that a template writes in another way: 70.0 for 70."""
    try:
        return isinstance(actual, int | float) and float(expected) == actual
    except (TypeError, ValueError):
        return False


def _other_form(expected: str, actual: str) -> bool:
    """Return whether AWS answers the same in another form: in lower case, as an ARN, with a full version."""
    short, full = expected.casefold(), actual.casefold()
    return (
        short == full
        or full.endswith((f"/{short}", f":{short}"))
        or full.startswith((f"{short}.", f"{short}:"))
    )
