"""Properties of templates as the parameters of AWS's operations: botocore's models say what those look like.

CloudFormation names most properties as the service's API does, apart from the case of letters (`Cpu` is
ECS's `cpu`, `SslSupportMethod` is CloudFront's `SSLSupportMethod`), and
writes policy documents as objects where the APIs take JSON as text.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.utils import parse_timestamp

from samjhadoo_emulator import wire
from samjhadoo_emulator.errors import not_implemented

if TYPE_CHECKING:
    from botocore.model import Shape, StructureShape

_NUMBERS = {"integer": int, "long": int, "float": float, "double": float}


def parameters(
    service: str,
    operation: str,
    properties: Mapping[str, Any],
    *,
    renamed: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return those properties that an operation takes, as its parameters.

    Args:
        service: botocore's name of the service.
        renamed: The parameters of properties that have other names.

    Raises:
        AwsError: A property holds what the operation's model does not have: its name is in the text.
    """
    members = _input(service, operation).members
    names = taken(service, operation, tuple((renamed or {}).items()))
    return {
        names[name]: fit(value, members[names[name]], name)
        for name, value in properties.items()
        if name in names
    }


def takes(service: str, operation: str, renamed: Mapping[str, str] | None = None) -> frozenset[str]:
    """Return the names of properties that an operation takes as parameters."""
    return frozenset(taken(service, operation, tuple((renamed or {}).items())))


@cache
def taken(service: str, operation: str, renamed: tuple[tuple[str, str], ...] = ()) -> dict[str, str]:
    """Return the parameter of each property that an operation takes."""
    members = _input(service, operation).members
    others = dict(renamed)
    plain = {_capitalised(member): member for member in members if _capitalised(member) not in others}
    return plain | {name: member for name, member in others.items() if member in members}


def fit(value: Any, shape: Shape, path: str) -> Any:
    """Return a property's value in the form of an API's shape.

    Args:
        path: Where the value is, for errors: `HealthCheck.Command`.

    Raises:
        AwsError: The shape lacks a member that the value has.
    """
    kind = shape.type_name
    if kind == "structure" and isinstance(value, Mapping):
        return _fit_structure(value, shape, path)
    if kind == "structure" and isinstance(value, list) and "Quantity" in shape.members:
        return _fit_quantity(value, shape, path)
    if kind == "list" and isinstance(value, Collection) and not isinstance(value, str | Mapping):
        return [fit(each, shape.member, path) for each in value]
    if kind == "map" and isinstance(value, Mapping):
        return {key: fit(each, shape.value, path) for key, each in value.items()}
    if kind == "map" and isinstance(value, list):  # tags, which some APIs have as a map
        return {each["Key"]: each["Value"] for each in value}
    return _fit_scalar(value, kind)


def _fit_quantity(value: list[Any], shape: Any, path: str) -> dict[str, Any]:
    """Return a list as CloudFront has lists: with the number of its items."""
    items = {"Items": fit(value, shape.members["Items"], path)} if value else {}
    enabled = {"Enabled": bool(value)} if "Enabled" in shape.members else {}
    return {**enabled, "Quantity": len(value), **items}


def _fit_structure(value: Mapping[str, Any], shape: Any, path: str) -> dict[str, Any]:
    members = {name.lower(): name for name in shape.members}
    fitted = {}
    for name, each in value.items():
        if (member := members.get(name.lower())) is None:
            raise not_implemented(f"The emulator does not support the property {path}.{name}.")
        fitted[member] = fit(each, shape.members[member], f"{path}.{name}")
    return fitted


def _fit_scalar(value: Any, kind: str) -> Any:
    if kind == "string":
        return as_text(value)
    if kind == "timestamp":
        return parse_timestamp(value)
    if kind == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return _NUMBERS[kind](value) if kind in _NUMBERS else value


def as_text(value: Any) -> str:
    """Return a value as text: documents as JSON, truth values in lower case."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, Mapping | list | bool) else str(value)


def as_properties(answer: Any) -> Any:
    """Return an answer of an API with members named as CloudFormation does: their first letters are capitals.

    For structures only: the keys of maps are changed, too.
    """
    if isinstance(answer, Mapping):
        return {_capitalised(name): as_properties(each) for name, each in answer.items()}
    return [as_properties(each) for each in answer] if isinstance(answer, list) else answer


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _input(service: str, operation: str) -> StructureShape:
    shape: StructureShape = wire.operation_model(service, operation).input_shape
    return shape


def from_text(text: str) -> Any:
    """Return a JSON document that an API returns as text."""
    return json.loads(text)
