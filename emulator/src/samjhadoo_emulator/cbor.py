"""Smithy's RPC v2 CBOR protocol, the server's side of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import cbor2

from samjhadoo_emulator import validation

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from samjhadoo_emulator.errors import AwsError

PROTOCOL = "rpc-v2-cbor"
HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": PROTOCOL}

_ABSENT = (None, cbor2.undefined)


def parse(model: OperationModel, body: bytes) -> dict[str, Any]:
    """Return an operation's parameters from a request's body; members the model does not know are dropped.

    Raises:
        AwsError: Members have other types than the model's.
        Exception: The body is not CBOR, or no map.
    """
    document = cbor2.loads(body) if body else {}
    if not isinstance(document, dict):
        raise TypeError("The request body is not a map.")
    validation.check_types(model.input_shape, document)
    return _shaped(model.input_shape, document) if model.input_shape else {}


def serialise(model: OperationModel, result: dict[str, Any]) -> bytes:
    """Return the body of an operation's result."""
    document = _shaped(model.output_shape, result) if model.output_shape else {}
    return cbor2.dumps(document, datetime_as_timestamp=True, timezone=UTC)


def serialise_error(name: str, error: AwsError) -> bytes:
    """Return the body of an error; `name` is its shape with its namespace."""
    return cbor2.dumps({"__type": name, "message": error.message})


def _shaped(shape: Shape, value: Any) -> Any:
    """Return a value as its shape has it: without unknown members, with numbers of the shape's type."""
    kind = shape.type_name
    if value in _ABSENT:
        return None
    if kind == "structure":
        return {
            name: _shaped(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) not in _ABSENT
        }
    if kind == "list":
        return [_shaped(shape.member, each) for each in value]
    if kind == "map":
        return {key: _shaped(shape.value, each) for key, each in value.items()}
    if kind in ("float", "double") and type(value) is int:
        return float(value)
    if kind == "timestamp" and type(value) in (int, float):
        return datetime.fromtimestamp(value, UTC)
    return value
