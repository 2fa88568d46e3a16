"""Answers of AWS's APIs in the form that the schema of a resource type has.

APIs and schemas differ in the case of names (`ACMCertificateArn` is `AcmCertificateArn` in templates), and
APIs answer more than a template can say: what is not in the schema is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.cloudformation.language import schemas

if TYPE_CHECKING:
    from samjhadoo_emulator.cloudformation.resources.resource_type import Properties

Node = Mapping[str, Any]
_TIME = "%Y-%m-%dT%H:%M:%SZ"
_CHOICES = ("anyOf", "oneOf", "allOf")


def in_schema(
    type_name: str, answer: Mapping[str, Any], *, renamed: Mapping[str, str] | None = None
) -> Properties:
    """Return those members of an API's answer that are properties of a resource type, named as these.

    Args:
        type_name: The resource type, whose schema exists.
        answer: A thing as an API describes it.
        renamed: The API's names of properties that have others, as in `shapes.parameters`.
    """
    known = schemas.schema(type_name)
    document: Node = known.document if known else {}
    others = {member.lower(): name for name, member in (renamed or {}).items()}
    found: Properties = _object(document, document, answer, others)
    return found


def _object(document: Node, node: Node, answer: Mapping[str, Any], renamed: Node) -> dict[str, Any]:
    properties = _properties(document, node)
    names = {**{name.lower(): name for name in properties}, **renamed}
    return {
        (name := names[member.lower()]): _value(document, properties[name], value)
        for member, value in answer.items()
        if member.lower() in names and names[member.lower()] in properties
    }


def _value(document: Node, node: Node, value: Any) -> Any:
    node = _resolved(document, node)
    if isinstance(value, Mapping) and _is_list(node) and "Quantity" in value:
        value = list(value.get("Items") or ())  # CloudFront's lists
    if isinstance(value, Mapping):
        return _object(document, node, value, {}) if _properties(document, node) else dict(value)
    if isinstance(value, list):
        return [_value(document, node.get("items", {}), each) for each in value]
    return value.strftime(_TIME) if isinstance(value, datetime) else value


def _is_list(node: Node) -> bool:
    return "items" in node or node.get("type") == "array"


def _properties(document: Node, node: Node) -> dict[str, Node]:
    """Return the properties that a node's objects can have; none if their keys are the user's."""
    node = _resolved(document, node)
    found: dict[str, Node] = dict(node.get("properties", {}))
    for choice in _CHOICES:
        for each in node.get(choice, ()):
            for name, value in _properties(document, each).items():
                found.setdefault(name, value)
    return found


def _resolved(document: Node, node: Node) -> Node:
    name = str(node.get("$ref", "")).rpartition("/")[2]
    target: Node = document.get("definitions", {}).get(name, node) if name else node
    return target
