"""Smithy's RPC v2 CBOR protocol, the servers' side of it, by botocore's own encoder and decoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.parsers import RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

if TYPE_CHECKING:
    from botocore.model import OperationModel, Shape

    from samjhadoo_emulator.errors import AwsError

PROTOCOL = "rpc-v2-cbor"
HEADERS = {"Content-Type": "application/cbor", "smithy-protocol": PROTOCOL}

_parser: Any = RpcV2CBORParser()
_serializer: Any = RpcV2CBORSerializer()


def parse(model: OperationModel, body: bytes) -> dict[str, Any]:
    """Return an operation's parameters from a request's body; members the model does not know are dropped.

    Raises:
        Exception: The body is not CBOR, or of another shape.

    """
    document = _parser._initial_body_parse(body) if body else {}  # noqa: SLF001
    if not isinstance(document, dict):
        raise TypeError("The request body is not a map.")
    params: dict[str, Any] = (
        _parser._parse_shape(model.input_shape, document) if model.input_shape else {}  # noqa: SLF001
    )
    return params


def serialise(model: OperationModel, result: dict[str, Any]) -> bytes:
    """Return the body of an operation's result."""
    shape = model.output_shape
    body = bytearray()
    if shape is None:
        _encode_map_header(body, 0)
    else:
        _serializer._serialize_data_item(body, _known(shape, result), shape)  # noqa: SLF001
    return bytes(body)


def serialise_error(name: str, error: AwsError) -> bytes:
    """Return the body of an error; `name` is its shape with its namespace."""
    body = bytearray()
    _encode_map_header(body, 2)
    for text in ("__type", name, "message", error.message):
        _serializer._serialize_type_string(body, text, None, None)  # noqa: SLF001
    return bytes(body)


def _encode_map_header(body: bytearray, length: int) -> None:
    body.extend(_serializer._get_initial_byte(_serializer.MAP_MAJOR_TYPE, length))  # noqa: SLF001


def _known(shape: Shape, value: Any) -> Any:
    """Return a value without the members that its shape does not know."""
    if shape.type_name == "structure":
        return {
            name: _known(member, value[name])
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if shape.type_name == "list":
        return [_known(shape.member, each) for each in value]
    return value
