"""The edge: one address for every AWS client. It gives a request to the live service that owns it and
passes everything else through to the upstream, bodies streaming.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from samjhadoo_emulator import identify, wire
from samjhadoo_emulator.errors import AwsError, NotLive
from samjhadoo_emulator.faults.exchange import disturbed, striking
from samjhadoo_emulator.internal import InternalAws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from samjhadoo_emulator.service import Host, LiveService
    from samjhadoo_emulator.upstream.described import Upstream

log = logging.getLogger(__name__)


class Edge:
    """Routes requests between live services, the registry, the control endpoint and the upstream.

    Args:
        host: What every live service is lent.
        services: The live services by botocore's name.
        upstream: Serves whatever no live service owns.
        prefixes: Applications by path prefix (the registry at `/v2`, the control endpoint); a request
            signed by an AWS client never goes to one of these.
        region: The region of requests that name none.

    Attributes:
        upstream: Serves whatever no live service owns.

    """

    def __init__(
        self,
        host: Host,
        *,
        services: Mapping[str, type[LiveService]],
        upstream: Upstream,
        prefixes: Mapping[str, ASGIApp],
        region: str,
    ) -> None:
        self.host = host
        self.region = region
        self.live: dict[tuple[str, str], LiveService] = {}
        self._services = services
        self._operations = {name: service.operations() for name, service in services.items()}
        self.upstream = upstream
        self._prefixes = prefixes
        self._starting = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        headers = request.headers
        query = scope["query_string"].decode("latin-1")
        signed = identify.signing_scope(headers)[1] or identify.presigned_scope(query)[1]
        if not signed:
            for prefix, application in self._prefixes.items():
                if scope["path"] == prefix or scope["path"].startswith(f"{prefix}/"):
                    await application(scope, receive, send)
                    return
        # Whatever its type, S3's bodies are content: they stream.
        form = identify.is_form(headers) and request.method == "POST" and signed != "s3"
        named = form or "x-amz-target" in headers or identify.is_rpc(headers)
        body = await request.body() if named else b""
        address = identify.identify(
            headers,
            query=query,
            body=wire.plain(headers, body),
            path=scope["path"],
        )
        serving = self._application(address, request, body)
        faults = striking(self.host.faults, address, headers) if self.host.faults else []
        if faults:
            serving = disturbed(serving, faults, address, headers)
        await serving(scope, receive, send)

    @property
    def live_names(self) -> list[str]:
        """The services that are served live, at least some of their operations."""
        return sorted(self._services)

    def is_live(self, service: str, operation: str) -> bool:
        """Tell whether an operation is served live."""
        return operation in self._operations.get(service, {})

    async def service(self, name: str, region: str) -> Any:
        """Return the live service of a region, started."""
        key = (name, region)
        if key not in self.live:
            async with self._starting:
                if key not in self.live:
                    service = self._services[name](self.host, region, self.aws(region))
                    await service.start()
                    self.live[key] = service
        return self.live[key]

    def aws(self, region: str) -> InternalAws:
        """Return the AWS API of a region as live services see it."""
        return InternalAws(
            region,
            edge_url=self.host.edge_url,
            is_live=self.is_live,
            dispatch=self.dispatch,
            faults=self.host.faults,
        )

    async def dispatch(
        self, service: str, operation: str, region: str, params: dict[str, Any]
    ) -> dict[str, Any]:
        """Perform a live operation.

        Raises:
            AwsError: The service refused.

        """
        instance = await self.service(service, region)
        result: dict[str, Any] | None = await getattr(instance, self._operations[service][operation])(params)
        return result or {}

    async def stop(self) -> None:
        """End every live service, the youngest first, and let go of the upstream."""
        for service in reversed(list(self.live.values())):
            await service.stop()
        await self.upstream.stop()

    def _application(self, address: identify.Address, request: Request, body: bytes) -> ASGIApp:
        """Return what serves a request."""
        own = address.service in self._services
        if own and not wire.has_operation(address.service, address.operation):
            return _unknown_operation

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                response: ASGIApp = await self._answer(address, request, wire.plain(request.headers, body))
            except NotLive:
                response = pass_on
            await response(scope, receive, send)

        async def pass_on(scope: Scope, receive: Receive, send: Send) -> None:
            self.host.passed_on.add(address.operation)
            scope = {**scope, "aws.service": address.service}
            await self.upstream(scope, _replay(body, receive) if body else receive, send)

        # Not every upstream speaks CBOR: it is asked on behalf of clients of services that are live here.
        translated = own and address.protocol == wire.CBOR
        return answer if translated or self.is_live(address.service, address.operation) else pass_on

    async def _answer(self, address: identify.Address, request: Request, body: bytes) -> Response:
        service, operation = address.service, address.operation
        result: dict[str, Any] | AwsError
        try:
            params = wire.parse(
                service,
                operation,
                method=request.method,
                path=request.url.path,
                headers=request.headers,
                body=body or request.url.query.encode(),
                protocol=address.protocol,
            )
            region = address.region or self.region
            if self.is_live(service, operation):
                result = await self.dispatch(service, operation, region, params)
            else:
                result = await self.aws(region).call(service, operation, **params)
        except AwsError as error:
            result = error
        except NotLive:
            raise
        except Exception:
            log.exception("%s %s failed", service, operation)
            result = AwsError(
                "ServerException" if service == "ecs" else "InternalFailure",
                "Service Unavailable.",
                status=500,
            )
        status, headers, content = wire.serialise(service, operation, result, protocol=address.protocol)
        return Response(content, status_code=status, headers=headers)


_unknown_operation = JSONResponse({"__type": "UnknownOperationException"}, status_code=400)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that has been read to the next application again."""
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
