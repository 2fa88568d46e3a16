"""Holds the raw body of an answer against botocore's output shape.

botocore's own parser forgives: it drops members it does not know and leaves out those it does not find. So
the body is read again, by its protocol alone.
"""

from __future__ import annotations

import base64
import functools
import json
import re
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

from samjhadoo_emulator.registry import live_services

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import OperationModel

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_WHOLE = re.compile(r"-?\d+")
_TEXTS = {
    "boolean": re.compile("true|false"),
    "integer": _WHOLE,
    "long": _WHOLE,
    "float": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?"),
    "double": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?"),
    "timestamp": _TIMESTAMP,
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float),
    "structure": dict,
    "list": list,
    "map": dict,
}

_NOT_IN_MODELS = (
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "REVIEW_IN_PROGRESS",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
)
"""A lifecycle stage of ECS, and statuses of stacks in their events."""


@functools.cache
def live_operations() -> frozenset[tuple[str, str]]:
    """Return (service, operation) of everything that is served live."""
    return frozenset(
        (name, operation) for name, service in live_services().items() for operation in service.operations()
    )


def faults(model: OperationModel, body: bytes) -> list[str]:
    """Return what is wrong with an answer's body, each with the path to it."""
    shape, protocol = model.output_shape, model.service_model.resolved_protocol
    if protocol == "json":
        document = json.loads(body or b"{}")
        if shape is None:
            return [f"{model.name}: a body"] if document else []
        return list(_json(document, shape, model.name))
    if protocol != "query":
        return []
    root = ET.fromstring(body)
    found = [] if _tag(root) == f"{model.name}Response" else [f"{model.name}: the root is {_tag(root)}"]
    for child in root:
        if shape is not None and _tag(child) == shape.serialization.get("resultWrapper"):
            found += _xml(child, shape, model.name)
        elif _tag(child) != "ResponseMetadata":
            found.append(f"{model.name}: unknown element {_tag(child)}")
    return found


def _json(value: Any, shape: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    wrong = isinstance(value, bool) and kind != "boolean"
    if wrong or not isinstance(value, _TYPES.get(kind, str)):
        yield f"{path}: {value!r} is no {kind}"
    elif kind == "structure":
        yield from _missing(shape, value, path)
        members = _members(shape)
        for name, member in value.items():
            if name in members:
                yield from _json(member, members[name], f"{path}.{name}")
            else:
                yield f"{path}.{name}: unknown member"
    elif kind == "list":
        for index, element in enumerate(value):
            yield from _json(element, shape.member, f"{path}[{index}]")
    elif kind == "map":
        for name, element in value.items():
            yield from _json(element, shape.value, f"{path}[{name}]")
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    else:
        yield from _outside(shape, value, path)


def _xml(element: ET.Element, shape: Any, path: str) -> Iterator[str]:
    kind, text = shape.type_name, element.text or ""
    if kind == "structure":
        yield from _missing(shape, [_tag(child) for child in element], path)
        members = _members(shape)
    elif kind == "list":
        members = {shape.member.serialization.get("name", "member"): shape.member}
    else:
        if len(element) or (kind in _TEXTS and not _TEXTS[kind].fullmatch(text)):
            yield f"{path}: {text!r} is no {kind}"
        yield from _outside(shape, text, path)
        return
    for index, child in enumerate(element):
        name = _tag(child)
        here = f"{path}[{index}]" if kind == "list" else f"{path}.{name}"
        if name in members:
            yield from _xml(child, members[name], here)
        else:
            yield f"{here}: unknown element {name}"


def _members(shape: Any) -> dict[str, Any]:
    return {member.serialization.get("name", name): member for name, member in shape.members.items()}


def _missing(shape: Any, present: Any, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}: missing" for name in shape.required_members if name not in present)


def _outside(shape: Any, value: Any, path: str) -> Iterator[str]:
    """Tell of a word that is not in an enumeration; AWS answers some that its models have not."""
    if getattr(shape, "enum", None) and value not in (*shape.enum, *_NOT_IN_MODELS):
        yield f"{path}: {value!r} is none of {shape.enum}"


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]
