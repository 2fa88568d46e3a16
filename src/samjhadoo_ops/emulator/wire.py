"""The AWS wire protocols, driven by botocore's models through moto's parsers and serialisers.

Shapes are AWS's: a member that the model does not know is neither read nor written.
"""

from __future__ import annotations

import json
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from botocore.validate import ParamValidator
from moto.core.parse import PROTOCOL_PARSERS
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug.datastructures import Headers, MultiDict

from samjhadoo_ops.emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from moto.core.model import OperationModel, ServiceModel

_VALIDATOR = ParamValidator()


@cache
def service_model(service: str) -> ServiceModel:
    """Return botocore's model of a service."""
    return get_service_model(service)


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """Return botocore's model of an operation."""
    return service_model(service).operation_model(operation)


def has_operation(service: str, operation: str) -> bool:
    """Tell whether AWS's model of a service has an operation."""
    return operation in service_model(service).operation_names


@cache
def targets() -> dict[str, str]:
    """Return the service that each `X-Amz-Target` prefix of a live service names."""
    return {
        service_model(service).metadata["targetPrefix"]: service
        for service in ("ecs", "ecr", "application-autoscaling")
    }


def parse(
    service: str, operation: str, *, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> dict[str, Any]:
    """Return an operation's parameters from a request.

    Raises:
        AwsError: The body is not what the protocol or the operation's input shape says.

    """
    model = operation_model(service, operation)
    protocol = model.service_model.protocol
    values = MultiDict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    if protocol == "json":
        _refuse_malformed_json(body)
    try:
        params: dict[str, Any] = PROTOCOL_PARSERS[protocol](model).parse(
            {
                "body": body,
                "headers": Headers(list(headers.items())),
                "method": method,
                "url_path": path,
                "url_params": {},
                "values": values,
            }
        )
    except Exception as error:
        raise AwsError("SerializationException", f"{type(error).__name__}: {error}") from error
    params = params or {}
    if model.input_shape is not None:
        report = _VALIDATOR.validate(params, model.input_shape)
        if report.has_errors():
            code = "InvalidParameterException" if protocol == "json" else "ValidationError"
            raise AwsError(code, report.generate_report())
    return params


def _refuse_malformed_json(body: bytes) -> None:
    try:
        document = json.loads(body or b"{}")
    except ValueError as error:
        raise AwsError("SerializationException", f"The request body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AwsError("SerializationException", "Start of structure or map found where not expected.")


def serialise(
    service: str, operation: str, result: dict[str, Any] | AwsError | None
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of an operation's result or error."""
    model = operation_model(service, operation)
    request_id = str(uuid.uuid4())
    serializer = get_serializer_class(service, model.service_model.protocol)(
        operation_model=model, context=SerializationContext(request_id=request_id)
    )
    response = serializer.serialize({} if result is None else result)
    status = response["status_code"]
    if isinstance(result, AwsError) and status in (200, 400):
        status = result.status
    body = response["body"]
    headers = {**response["headers"], "x-amzn-RequestId": request_id}
    return status, headers, body.encode() if isinstance(body, str) else body
