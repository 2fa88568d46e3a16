"""The OCI distribution API at `/v2`: what Docker, containerd, crane and all other registry clients use.

Bodies stream to and from disk. Anyone on loopback may push and pull; an `Authorization` header is
ignored. The facts are the OCI distribution specification 1.1's; what it leaves open is as at ECR: a
push to a repository that does not exist is refused, and errors carry ECR's texts.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from samjhadoo_emulator.ecr import http_blobs, http_manifests
from samjhadoo_emulator.ecr.http_call import Call, DistributionError, translate
from samjhadoo_emulator.ecr.manifests import ManifestInvalid
from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from samjhadoo_emulator.ecr.registry import Registry
    from samjhadoo_emulator.edge import Edge

    Handler = Callable[[Call], Awaitable[Response]]

log = logging.getLogger(__name__)
VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
_HOST = re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.")
_ROUTES: tuple[tuple[str, dict[str, Handler]], ...] = (
    ("blobs/uploads/?(?P<rest>)", {"POST": http_blobs.start}),
    (
        "blobs/uploads/(?P<rest>[^/]+)",
        {
            "GET": http_blobs.status,
            "PATCH": http_blobs.append,
            "PUT": http_blobs.finish,
            "DELETE": http_blobs.cancel,
        },
    ),
    (
        "blobs/(?P<rest>[^/]+)",
        {"GET": http_blobs.read, "HEAD": http_blobs.read, "DELETE": http_blobs.delete},
    ),
    (
        "manifests/(?P<rest>[^/]+)",
        {
            "GET": http_manifests.read,
            "HEAD": http_manifests.read,
            "PUT": http_manifests.write,
            "DELETE": http_manifests.delete,
        },
    ),
    ("tags/list(?P<rest>)", {"GET": http_manifests.tags}),
    ("referrers/(?P<rest>[^/]+)", {"GET": http_manifests.referrers}),
)
_RESOURCES = tuple((re.compile(f"/v2/(?P<name>.+?)/{path}"), methods) for path, methods in _ROUTES)


def distribution_application(edge: Callable[[], Edge]) -> ASGIApp:
    """Return the registry of the edge that `edge` gives (it exists after this application)."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        host = _HOST.match(request.headers.get("host", ""))
        service = await edge().service("ecr", host["region"] if host else edge().region)
        try:
            response = await _answer(request, service.registry)
        except ClientDisconnect:
            return  # what arrived of an upload is kept; the client may resume it
        except (AwsError, ManifestInvalid) as error:
            response = translate(error).response()
        except DistributionError as error:
            response = error.response()
        except OSError as error:  # no space, above all
            log.exception("%s %s failed", request.method, request.url.path)
            message = error.strerror or str(error)
            response = DistributionError("UNKNOWN", message, status=500).response()
        response.headers.update(VERSION)
        await response(scope, receive, send)

    return application


async def _answer(request: Request, registry: Registry) -> Response:
    path = request.url.path
    if path.rstrip("/") == "/v2":
        return JSONResponse({})
    if path == "/v2/_catalog":
        return http_manifests.catalog(request, registry)
    for pattern, methods in _RESOURCES:
        match = pattern.fullmatch(path)
        if match is None:
            continue
        handler = methods.get(request.method)
        if handler is None:
            raise DistributionError("UNSUPPORTED", "The operation is unsupported.", status=405)
        return await handler(Call(request, registry, registry.repository(match["name"]), match["rest"]))
    raise DistributionError("UNSUPPORTED", "The operation is unsupported.", status=404)
