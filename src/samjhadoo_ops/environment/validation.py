"""From tables to Structs, all problems at once (msgspec alone stops at the first)."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from samjhadoo_ops.environment.kinds import limit, own_kind, parse
from samjhadoo_ops.environment.layers import KeyPath, Layers, Problem
from samjhadoo_ops.environment.secret import looks_secret
from samjhadoo_ops.environment.shape import is_optional, is_table, metas, section_of

if TYPE_CHECKING:
    from samjhadoo_ops.environment.schema import Section

S = TypeVar("S", bound="Section")


class Validator:
    """Builds sections from layers and collects what is wrong.

    Args:
        layers: The merged tables.
        home: The file in which a missing key should stand.

    """

    def __init__(self, layers: Layers, home: str) -> None:
        self.layers = layers
        self.home = home
        self.problems: list[Problem] = list(layers.problems)

    def section(self, kind: type[S], node: Any, path: KeyPath = ()) -> S | None:
        """Return the section, or None when anything in it is wrong."""
        if not isinstance(node, dict):
            self._wrong(path, f"expected a table, got {_name(node)}")
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
        """Report a required key that is missing; never true, so that the caller leaves it out."""
        if field.required:
            what = "missing table" if is_table(field.type) else "missing"
            self.problems.append(Problem(self.home, path, what))
        return False

    def _field(self, field: Any, value: Any, path: KeyPath) -> Any:
        section = section_of(field.type)
        if section is not None:
            return self.section(section, value, path)
        if is_optional(field.type) and value == "":
            return None
        return self._leaf(field.type, value, path)

    def _leaf(self, kind: Any, value: Any, path: KeyPath) -> Any:
        lenient = self.layers.where(path) in self.layers.variables
        own = own_kind(kind)
        try:
            converted = msgspec.convert(value, kind, strict=not lenient) if own is None else parse(own, value)
        except msgspec.ValidationError as error:
            self._wrong(path, _explain(kind, value, error))
            return None
        except ValueError as error:
            self._wrong(path, str(error))
            return None
        extras: dict[str, Any] = {}
        for meta in metas(kind):
            extras |= meta.extra or {}
        message = limit(extras, converted) or _infinite(converted)
        if message:
            self._wrong(path, message)
        self._refuse_secrets(converted, path)
        return converted

    def _refuse_secrets(self, value: Any, path: KeyPath) -> None:
        """Report text that only a secret looks like, without showing it."""
        if isinstance(value, str) and looks_secret(value):
            self._wrong(path, "holds a secret (not shown): settings hold references to secrets only")
        elif isinstance(value, Mapping):
            for key, item in value.items():
                self._refuse_secrets(item, (*path, key))
        elif isinstance(value, list):
            for item in value:
                self._refuse_secrets(item, path)

    def _wrong(self, path: KeyPath, message: str) -> None:
        self.problems.append(Problem(self.layers.where(path) or self.home, path, message))


def _explain(kind: Any, value: Any, error: msgspec.ValidationError) -> str:
    wanted = next((meta.extra["wanted"] for meta in metas(kind) if meta.extra and "wanted" in meta.extra), "")
    if wanted and isinstance(value, str):
        return f"expected {wanted}"
    message = str(error).replace("`", "")
    text, _, at = message.partition(" - at $")
    text = text[:1].lower() + text[1:]
    return f"{text} (at {at})" if at else text


def _infinite(value: Any) -> str:
    return "expected a finite number" if isinstance(value, float) and not math.isfinite(value) else ""


def _near(key: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"


def _name(value: Any) -> str:
    return {str: "text", bool: "a truth value", int: "a number", float: "a number", list: "a list"}.get(
        type(value), type(value).__name__
    )
