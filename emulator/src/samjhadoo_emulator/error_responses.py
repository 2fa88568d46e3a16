"""Errors that the emulator itself answers with, each in the protocol that its request speaks."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from starlette.datastructures import Headers
from starlette.responses import Response

from samjhadoo_emulator import cbor, identify, wire
from samjhadoo_emulator.identify import service_of

if TYPE_CHECKING:
    from starlette.types import Scope

    from samjhadoo_emulator.errors import AwsError

_REST_XML = frozenset({"cloudfront", "route53", "s3control"})


def error_response(scope: Scope, error: AwsError, address: identify.Address | None = None) -> Response:
    """Return an error as the service that a request is for would return it.

    AWS's protocols differ in errors as in everything: JSON with a `__type`, the query protocol's and REST's
    `ErrorResponse`, S3's bare `Error`, and CBOR. Where the service is not known, it is JSON.

    Args:
        address: The request's service and operation, as far as they have been identified.
    """
    headers = Headers(scope=scope)
    query = scope["query_string"].decode("latin-1")
    address = address or identify.Address()
    service = address.service or service_of(headers, query=query, path=scope["path"])
    if service and address.operation and wire.has_operation(service, address.operation):
        speaks = wire.protocols(service)
        protocol = address.protocol if address.service or address.protocol in speaks else ""
        status, named, content = wire.serialise(service, address.operation, error, protocol=protocol)
        return Response(content, max(status, error.status), named)
    request_id = str(uuid.uuid4())
    named = {"x-amzn-RequestId": request_id, "x-amzn-errortype": error.code}
    if headers.get("smithy-protocol") == wire.CBOR:
        body = cbor.serialise_error(error.code, error)
        return Response(body, error.status, {**named, **cbor.HEADERS})
    if service == "s3":
        xml = (
            f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>"
            f"<RequestId>{request_id}</RequestId></Error>"
        )
        return Response(
            _xml(xml), error.status, {"x-amz-request-id": request_id}, media_type="application/xml"
        )
    form = identify.is_form(headers) and "x-amz-target" not in headers
    if service in _REST_XML or form or "Action=" in query:
        xml = (
            f"<ErrorResponse><Error><Type>Receiver</Type><Code>{error.code}</Code>"
            f"<Message>{escape(error.message)}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        )
        return Response(_xml(xml), error.status, named, media_type="text/xml")
    document = json.dumps({"__type": error.code, "message": error.message})
    return Response(document, error.status, named, media_type="application/x-amz-json-1.1")


def _xml(element: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element}'
