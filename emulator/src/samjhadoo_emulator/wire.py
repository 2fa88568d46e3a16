"""The AWS wire protocols, driven by botocore's models through moto's parsers and serialisers.

Shapes are AWS's: a member that the model does not know is neither read nor written.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import uuid
import warnings
import zlib
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.exceptions import DataNotFoundError, UnknownServiceError
from botocore.utils import parse_timestamp
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from samjhadoo_emulator import cbor, validation
from samjhadoo_emulator.errors import AwsError, BodyTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from moto.core.model import OperationModel, ServiceModel

CBOR = cbor.PROTOCOL

MOST_UNPACKED = 32 << 20
_LARGE = re.compile(rb"\d{10}")
_IN_BODY = ("json", "query", "ec2")
"""Protocols whose parameters are all in the body."""
_SUBTYPE_OF_JSON = "application/x-amz-json-{}"


# Every service answers some errors that its model does not list: `SerializationException`, for example.
warnings.filterwarnings("ignore", r"Exception\(AwsError\) with code", UserWarning)


@cache
def service_model(service: str) -> ServiceModel:
    """Return botocore's model of a service."""
    return get_service_model(service)


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """Return botocore's model of an operation."""
    return service_model(service).operation_model(operation)


def has_service(service: str) -> bool:
    """Return whether AWS has a service of this name."""
    try:
        return bool(service_model(service))
    except (UnknownServiceError, DataNotFoundError):
        return False


def has_operation(service: str, operation: str) -> bool:
    """Return whether AWS's model of a service has an operation."""
    return has_service(service) and operation in service_model(service).operation_names


def protocols(service: str) -> list[str]:
    """Return the protocols that a service speaks."""
    metadata = service_model(service).metadata
    named = metadata.get("protocols", [metadata["protocol"]])
    return [protocol.removeprefix("smithy-") for protocol in named]


def unknown_operation(service: str, operation: str, protocol: str) -> AwsError:
    """Return AWS's refusal of an operation that a service does not have, in a protocol."""
    if protocol == "query" and protocol in protocols(service):
        version = service_model(service).metadata["apiVersion"]
        return AwsError("InvalidAction", f"Could not find operation {operation} for version {version}")
    return AwsError("UnknownOperationException", "")


@cache
def targets() -> dict[str, str]:
    """Return the service that each `X-Amz-Target` prefix of a live service names."""
    return {
        service_model(service).metadata["targetPrefix"]: service
        for service in ("ecs", "ecr", "application-autoscaling", "cloudwatch")
    }


def plain(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a body uncompressed: clients compress the requests of some operations (PutMetricData).

    Raises:
        BodyTooLargeError: It has more bytes than any of them may have.
    """
    if headers.get("content-encoding", "").strip().lower() != "gzip":
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            found = file.read(MOST_UNPACKED + 1)
    except (OSError, EOFError, zlib.error):
        return body
    if len(found) > MOST_UNPACKED:
        raise BodyTooLargeError(MOST_UNPACKED)
    return found


def parse(
    service: str,
    operation: str,
    *,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    protocol: str = "",
) -> dict[str, Any]:
    """Return an operation's parameters from a request.

    Args:
        service: botocore's name of the service.
        body: Its body, uncompressed.
        protocol: The protocol it speaks; the one of the service's model by default.

    Raises:
        AwsError: The body does not follow the protocol or the operation's input shape.
    """
    model = operation_model(service, operation)
    protocol = protocol or model.service_model.protocol
    if protocol == CBOR:
        params = _read(lambda: cbor.parse(model, body))
    else:
        if protocol == "json":
            body = _checked_json(model, body)
        request = {
            "body": body,
            "headers": Headers(list(headers.items())),
            "method": method,
            "url_path": path,
            "url_params": {},
            "values": MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True)),
        }
        parser = PROTOCOL_PARSERS[protocol](model, timestamp_parser=_moment)
        code = "SerializationException" if protocol == "json" else "MalformedInput"
        params = _read(lambda: parser.parse(request), code)
        if protocol != "json":
            validation.check_numbers(model.input_shape, params)
    validation.check(model, params)
    return params


def check_numbers(
    service: str, operation: str, headers: Mapping[str, str], body: bytes, protocol: str
) -> None:
    """Refuse numbers that do not fit their type, as AWS's parser does: some servers count to them.

    Raises:
        AwsError: By the number's type.
    """
    if not (_LARGE.search(body) and has_operation(service, operation) and protocol in _IN_BODY):
        return
    try:
        parse(service, operation, method="POST", path="/", headers=headers, body=body, protocol=protocol)
    except AwsError as error:
        if error.code in ("SerializationException", "MalformedInput"):
            raise


def _read(read: Callable[[], dict[str, Any]], code: str = "SerializationException") -> dict[str, Any]:
    try:
        return read() or {}
    except AwsError:
        raise
    except Exception as error:
        raise AwsError(code, f"{type(error).__name__}: {error}") from error


def _moment(text: Any) -> datetime:
    """Return a timestamp in UTC: the parsers' own reading has no zone."""
    moment: datetime = parse_timestamp(text)
    return moment.astimezone(UTC)


def _checked_json(model: OperationModel, body: bytes) -> bytes:
    """Return a body that is a JSON object of the operation's types; an empty one is an empty object."""
    try:
        document = json.loads(body.strip() or b"{}", parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "Start of structure or map found where not expected.")
    validation.check_types(model.input_shape, document)
    return body.strip() or b"{}"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def serialise(
    service: str, operation: str, result: dict[str, Any] | AwsError | None, *, protocol: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an operation's result or error."""
    model = operation_model(service, operation)
    request_id = str(uuid.uuid4())
    protocol = protocol or model.service_model.protocol
    # An RPC error differs from a JSON one in its encoding only.
    spoken = "json" if protocol == CBOR else protocol
    serializer = get_serializer_class(service, spoken)(
        operation_model=model, context=SerializationContext(request_id=request_id)
    )
    headers = {"x-amzn-RequestId": request_id}
    if protocol == CBOR and not isinstance(result, AwsError):
        return 200, {**headers, **cbor.HEADERS}, cbor.serialise(model, result or {})
    response = serializer.serialize({} if result is None else result)
    status = response["status_code"]
    if isinstance(result, AwsError) and status in (200, 400):
        status = result.status
    headers = {**response["headers"], **headers}
    if spoken == "json":
        headers["Content-Type"] = _SUBTYPE_OF_JSON.format(model.service_model.metadata["jsonVersion"])
    body = response["body"]
    if isinstance(result, AwsError) and protocol == CBOR:
        return status, {**headers, **cbor.HEADERS}, cbor.serialise_error(json.loads(body)["__type"], result)
    return status, headers, body.encode() if isinstance(body, str) else body
