"""Values against JSON schemas of resource types: what does not match, and conversion to the schema's types.

The keywords are those that CloudFormation's registry allows. The texts are those of the validator that AWS
uses (everit), and, for keywords whose text would show a value, AWS's replacement for it:
`ValidationException` in aws-cloudformation/cloudformation-resource-schema.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from samjhadoo_emulator.cloudformation.language import patterns
from samjhadoo_emulator.cloudformation.language.context import UNKNOWN
from samjhadoo_emulator.cloudformation.language.functions import is_unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str, ...]
_JAVA: Final = {
    "array": "JSONArray",
    "boolean": "Boolean",
    "integer": "Integer",
    "number": "Number",
    "object": "JSONObject",
    "string": "String",
}
_LONGEST_NUMBER: Final = 100
_DYNAMIC: Final = "{{resolve:"


@dataclass(frozen=True)
class Problem:
    """What is wrong with one value.

    Attributes:
        path: Where the value is, from the properties on.
        keyword: The schema's keyword that it does not satisfy.
        text: AWS's words, after the path.
        subject: The property that the problem is about, for missing and extra ones.
    """

    path: Path
    keyword: str
    text: str
    subject: str = ""

    def __str__(self) -> str:
        return f"#{''.join(f'/{part}' for part in self.path)}: {self.text}"


class SchemaWalk:
    """Walks values along a resource type's schema.

    Args:
        document: The whole schema, which `$ref` refers to.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def problems(self, value: Any, schema: Any = None, path: Path = ()) -> Iterator[Problem]:
        """Yield what does not match; what is not known yet, or a dynamic reference, matches everything."""
        schema = self._resolved(self._document if schema is None else schema)
        if value is UNKNOWN or (isinstance(value, str) and _DYNAMIC in value):
            return
        kinds = _kinds(schema)
        if kinds and not any(_is(value, kind) for kind in kinds):
            yield Problem(path, "type", f"expected type: {_expected(kinds, value)}, found: {_found(value)}")
            return
        yield from _scalar_problems(value, schema, path)
        if isinstance(value, dict):
            yield from self._object_problems(value, schema, path)
        elif isinstance(value, list):
            yield from self._list_problems(value, schema, path)
        yield from self._combined_problems(value, schema, path)

    def _object_problems(
        self, value: dict[str, Any], schema: dict[str, Any], path: Path
    ) -> Iterator[Problem]:
        for name in schema.get("required", ()):
            if name not in value:
                yield Problem(path, "required", f"required key [{name}] not found", name)
        for name, needed in schema.get("dependencies", {}).items():
            for missing in needed if name in value and isinstance(needed, list) else ():
                if missing not in value:
                    yield Problem(path, "dependencies", f"property [{missing}] is required", missing)
        yield from _object_size_problems(value, schema, path)
        for name, member in value.items():
            members = self._member_schemas(name, schema)
            if not members:
                yield Problem(path, "additionalProperties", f"extraneous key [{name}] is not permitted", name)
            for each in members:
                yield from self.problems(member, each, (*path, name))

    def _member_schemas(self, name: str, schema: dict[str, Any]) -> list[Any]:
        """Return the schemas that a member must match; none if there must be no such member."""
        found = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        found += [
            each
            for pattern, each in schema.get("patternProperties", {}).items()
            if patterns.matches(pattern, name)
        ]
        if found:
            return found
        others = schema.get("additionalProperties", True)
        return [others if isinstance(others, dict) else {}] if others is not False else []

    def _list_problems(self, value: list[Any], schema: dict[str, Any], path: Path) -> Iterator[Problem]:
        if len(value) < schema.get("minItems", 0):
            text = f"expected minimum item count: {schema['minItems']}, found: {len(value)}"
            yield Problem(path, "minItems", text)
        if len(value) > schema.get("maxItems", len(value)):
            text = f"expected maximum item count: {schema['maxItems']}, found: {len(value)}"
            yield Problem(path, "maxItems", text)
        known = [_canonical(each) for each in value if not is_unknown(each)]
        if schema.get("uniqueItems") and len(set(known)) < len(known):
            yield Problem(path, "uniqueItems", "array items are not unique")
        if isinstance(schema.get("items"), dict):
            for index, member in enumerate(value):
                yield from self.problems(member, schema["items"], (*path, str(index)))

    def _combined_problems(self, value: Any, schema: dict[str, Any], path: Path) -> Iterator[Problem]:
        for keyword in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(keyword)
            if not branches:
                continue
            failed = [found for each in branches if (found := list(self.problems(value, each, path)))]
            matched = len(branches) - len(failed)
            if keyword == "allOf":
                for found in failed:
                    yield from found
            elif keyword == "anyOf" and not matched:
                text = f"#: no subschema matched out of the total {len(branches)} subschemas"
                yield Problem(path, keyword, text)
            elif keyword == "oneOf" and matched != 1:
                yield Problem(path, keyword, f"#: {matched} subschemas matched instead of one")

    def coerced(self, value: Any, schema: Any = None) -> Any:
        """Return a value with the schema's types where its own can be read as them."""
        schema = self._resolved(self._document if schema is None else schema)
        if isinstance(value, dict):
            return self._with_branches(
                {name: self._coerced_member(name, member, schema) for name, member in value.items()}, schema
            )
        if isinstance(value, list):
            items = schema.get("items")
            return [self.coerced(each, items) for each in value] if isinstance(items, dict) else value
        kinds = _kinds(schema)
        if not kinds or value is UNKNOWN or any(_is(value, kind) for kind in kinds):
            return self._with_branches(value, schema)
        return next((read for kind in kinds if (read := _read(value, kind)) is not None), value)

    def _coerced_member(self, name: str, member: Any, schema: dict[str, Any]) -> Any:
        for each in self._member_schemas(name, schema):
            member = self.coerced(member, each)
        return member

    def _with_branches(self, value: Any, schema: dict[str, Any]) -> Any:
        for each in schema.get("allOf", ()):
            value = self.coerced(value, each)
        for keyword in ("anyOf", "oneOf"):
            for each in schema.get(keyword, ()):
                found = self.coerced(value, each)
                if not any(self.problems(found, each)):
                    value = found
                    break
        return value

    def _resolved(self, schema: Any) -> dict[str, Any]:
        """Return what a schema refers to; its own keywords beside `$ref` stay."""
        seen = 0
        while isinstance(schema, dict) and "$ref" in schema and seen < len(self._document):
            seen += 1
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found.get(part, {}) if isinstance(found, dict) else {}
            schema = {**found, **{key: each for key, each in schema.items() if key != "$ref"}}
        return schema if isinstance(schema, dict) else {}


def _kinds(schema: dict[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    return kinds if isinstance(kinds, list) else [kinds]


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer":
        return isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    python: dict[str, Any] = {"array": list, "number": int | float, "object": dict, "string": str}
    return isinstance(value, python.get(kind, ()))


def _expected(kinds: list[str], value: Any) -> str:
    if kinds == ["integer"] and not isinstance(value, float):
        return "Number"
    return " or ".join(_JAVA.get(kind, kind) for kind in kinds)


def _found(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    names = {dict: "JSONObject", list: "JSONArray", str: "String", int: "Integer", float: "BigDecimal"}
    return names.get(type(value), "Null")


def _read(value: Any, kind: str) -> Any:
    """Return a scalar as another type, or None if it cannot be read as that."""
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str):
        return None
    if kind == "boolean":
        return {"true": True, "false": False}.get(value.lower())
    if kind in {"integer", "number"}:
        return _number(value, whole=kind == "integer")
    return None


def _number(text: str, *, whole: bool) -> int | float | None:
    if not patterns.NUMBER.fullmatch(text) or len(text) > _LONGEST_NUMBER:
        return None
    try:
        return int(text)
    except ValueError:
        return None if whole else float(text)


def _scalar_problems(value: Any, schema: dict[str, Any], path: Path) -> Iterator[Problem]:
    def hidden(keyword: str) -> Problem:
        return Problem(path, keyword, f"failed validation constraint for keyword [{keyword}]")

    if "enum" in schema and value not in schema["enum"]:
        yield hidden("enum")
    if "const" in schema and value != schema["const"]:
        yield hidden("const")
    if isinstance(value, str):
        if len(value) < schema.get("minLength", 0):
            text = f"expected minLength: {schema['minLength']}, actual: {len(value)}"
            yield Problem(path, "minLength", text)
        if len(value) > schema.get("maxLength", len(value)):
            text = f"expected maxLength: {schema['maxLength']}, actual: {len(value)}"
            yield Problem(path, "maxLength", text)
        if isinstance(schema.get("pattern"), str) and not patterns.matches(schema["pattern"], value):
            yield hidden("pattern")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from (hidden(keyword) for keyword in _number_problems(value, schema))


def _object_size_problems(value: dict[str, Any], schema: dict[str, Any], path: Path) -> Iterator[Problem]:
    if len(value) < schema.get("minProperties", 0):
        text = f"minimum size: [{schema['minProperties']}], found: [{len(value)}]"
        yield Problem(path, "minProperties", text)
    if len(value) > schema.get("maxProperties", len(value)):
        text = f"maximum size: [{schema['maxProperties']}], found: [{len(value)}]"
        yield Problem(path, "maxProperties", text)


def _number_problems(value: float, schema: dict[str, Any]) -> Iterator[str]:
    if value < schema.get("minimum", value):
        yield "minimum"
    if value > schema.get("maximum", value):
        yield "maximum"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield "exclusiveMinimum"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield "exclusiveMaximum"
    if schema.get("multipleOf") and Decimal(str(value)) % Decimal(str(schema["multipleOf"])):
        yield "multipleOf"


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
