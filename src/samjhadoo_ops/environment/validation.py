"""Convert tables to Structs and report all problems at once (msgspec alone stops at the first)."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec

from samjhadoo_ops.environment.layers import KeyPath, Layers, Problem
from samjhadoo_ops.environment.secret import looks_secret
from samjhadoo_ops.environment.section import is_optional, is_table, section_of
from samjhadoo_ops.environment.value_types import custom_type, expectation, limit, parse, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.environment.section import Section

S = TypeVar("S", bound="Section")


class Validator:
    """Builds sections from layers and collects all problems.

    Args:
        layers: The merged tables.
        home: The file to name in errors about missing keys.

    """

    def __init__(self, layers: Layers, home: str) -> None:
        self.layers = layers
        self.home = home
        self.problems: list[Problem] = list(layers.problems)

    def section(self, kind: type[S], node: Any, path: KeyPath = ()) -> S | None:
        """Return the section, or None if anything in it is wrong."""
        if not isinstance(node, dict):
            self._wrong(path, f"expected a table{_got(node)}")
            return None
        before = len(self.problems)
        fields = {field.name: field for field in msgspec.structs.fields(kind)}
        for key in node:
            if key not in fields:
                self._wrong((*path, key), f"unknown key{_near(key, fields)}")
        values = {
            name: self._field(field, node[name], (*path, name))
            for name, field in fields.items()
            if name in node or self._is_missing(field, (*path, name))
        }
        if len(self.problems) > before:
            return None
        built = kind(**values)
        for key, message in built.problems():
            self._wrong((*path, *key.split(".")), message)
        return None if len(self.problems) > before else built

    def _is_missing(self, field: Any, path: KeyPath) -> bool:
        """Report a missing required key; always return False, so that the caller leaves it out."""
        if field.required:
            what = "table is missing" if is_table(field.type) else "is missing"
            self.problems.append(Problem(self.home, path, f"{what}: neither this file nor base.toml has it"))
        return False

    def _field(self, field: Any, value: Any, path: KeyPath) -> Any:
        section = section_of(field.type)
        if section is not None:
            return self.section(section, value, path)
        if is_optional(field.type) and value == "":
            return None
        return self._value(field.type, value, path)

    def _value(self, kind: Any, value: Any, path: KeyPath) -> Any:
        """Return a list, a table or a single value, with each item converted."""
        origin, inner = getattr(kind, "__origin__", None), get_args(kind)
        if origin is list and isinstance(value, list):
            return [self._single(inner[0], item, path, f"item {n}: ") for n, item in enumerate(value, 1)]
        if origin is dict and isinstance(value, dict):
            return {key: self._single(inner[1], item, (*path, key)) for key, item in value.items()}
        return self._single(kind, value, path)

    def _single(self, kind: Any, value: Any, path: KeyPath, item: str = "") -> Any:
        lenient = self.layers.where(path) in self.layers.variables
        own = custom_type(kind)
        try:
            converted = msgspec.convert(value, kind, strict=not lenient) if own is None else parse(own, value)
        except msgspec.ValidationError:
            self._wrong(path, f"{item}expected {expectation(kind)}{_got(value, kind)}")
            return None
        except ValueError as error:
            self._wrong(path, f"{item}{error}")
            return None
        message = limit(kind, converted)
        if message:
            self._wrong(path, item + message)
        if isinstance(converted, str) and looks_secret(converted):
            self._wrong(path, f"{item}holds a secret (not shown); write a reference to it instead")
        return converted

    def _wrong(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self.layers.where(path) or self.home, path, message))


def _got(value: Any, kind: Any = None) -> str:
    """Return the type of a wrong value, never the value itself, for an error message."""
    if isinstance(value, plain(kind)):
        return ""
    kinds = {
        str: "text",
        bool: "true or false",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return f", got {kinds.get(type(value), type(value).__name__)}"


def _near(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
