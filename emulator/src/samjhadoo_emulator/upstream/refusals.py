"""The edge's own errors about requests to the upstream, each in the protocol its request speaks."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from starlette.datastructures import Headers
from starlette.responses import Response

from samjhadoo_emulator import cbor, identify, wire
from samjhadoo_emulator.upstream.services import service_of

if TYPE_CHECKING:
    from starlette.types import Scope

    from samjhadoo_emulator.errors import AwsError

_REST_XML = frozenset({"cloudfront", "route53", "s3control"})


def refusal(scope: Scope, error: AwsError) -> Response:
    """Return an error as the service that a request is for would give it.

    AWS's protocols differ in errors as in everything: JSON with a `__type`, the query protocol's and REST's
    `ErrorResponse`, S3's bare `Error`, and CBOR. Where the service cannot be told it is JSON.
    """
    headers = Headers(scope=scope)
    query = scope["query_string"].decode("latin-1")
    service = service_of(headers, query=query, path=scope["path"])
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
