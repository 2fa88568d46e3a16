"""The edge: one address for every AWS client.

A request passes through the handlers that `Edge.__init__` lists: in the end the live service that owns it
performs it, or the upstream gets it, bodies streaming.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from samjhadoo_emulator import identify, wire
from samjhadoo_emulator.certificates.imported import ImportedKeys
from samjhadoo_emulator.certificates.store import CertificateStore
from samjhadoo_emulator.error_responses import error_response
from samjhadoo_emulator.errors import AwsError, BodyTooLargeError, not_implemented
from samjhadoo_emulator.exchange import Exchange, chain
from samjhadoo_emulator.faults.effects import disturb, striking
from samjhadoo_emulator.internal import InternalAws
from samjhadoo_emulator.one_truth import check_upstream
from samjhadoo_emulator.reset import Requests, Resets, remove_task_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from samjhadoo_emulator.exchange import Proceed
    from samjhadoo_emulator.guard.handler import Guard
    from samjhadoo_emulator.service import Host, LiveService
    from samjhadoo_emulator.upstream.info import Upstream

log = logging.getLogger(__name__)

REGISTRY = "/v2"
MOST_CONTROL = 1 << 20
"""Bytes of a request to the emulator's own applications."""


class Edge:
    """Routes requests between live services, the registry, the control endpoint and the upstream.

    Args:
        host: What every live service is given.
        services: The live services by botocore's name.
        upstream: Serves everything that no live service owns.
        prefixes: Applications by path prefix (the registry at `/v2`, the control endpoint); a request
            signed by an AWS client never goes to one of these.
        guard: Decides who may send requests.
        region: The region for requests that do not name one.

    Attributes:
        upstream: Serves everything that no live service owns.
        requests: Those that are being served.
    """

    def __init__(
        self,
        host: Host,
        *,
        services: Mapping[str, type[LiveService]],
        upstream: Upstream,
        prefixes: Mapping[str, ASGIApp],
        guard: Guard,
        region: str,
    ) -> None:
        self.host = host
        self.region = region
        self.live: dict[tuple[str, str], LiveService] = {}
        self.requests = Requests()
        self._guard = guard
        self._services = services
        self._operations = {name: service.operations() for name, service in services.items()}
        self.upstream = upstream
        self._prefixes = prefixes
        self._starting = asyncio.Lock()
        self._handle = chain(
            # Every request goes through these, in this order; each one answers it or hands it to the next.
            (
                guard.handle,
                self._refuse_large,
                Resets(self.requests, self.reset).handle,
                self._serve_own_paths,
                self._identify,
                self._apply_faults,
                ImportedKeys(host).handle,
                self._serve_live,
                self._pass_on,
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._handle(Exchange(scope, receive, send))

    @property
    def live_names(self) -> list[str]:
        """The services that are served live, at least some of their operations."""
        return sorted(self._services)

    def is_live(self, service: str, operation: str) -> bool:
        """Return whether an operation is served live."""
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
            requests=self.requests,
            passed_on=self.host.passed_on,
            send=self.upstream.send,
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
        """End every live service and close the upstream."""
        await self.stop_services()
        await self.upstream.stop()
        self._guard.close()

    async def reset(self) -> None:
        """Forget everything that clients and services have made. The clock runs on, without its jumps.

        Raises:
            AwsError: The upstream cannot be reset; the live services have been.
        """
        self.host.faults.clear()
        await self.stop_services()
        await self.requests.own_calls()
        await self.stop_services()  # that such a call has started again
        self.host.jumps.offset = 0.0
        self.host.passed_on.clear()
        CertificateStore.of(self.host).forget()
        await asyncio.to_thread(remove_task_files, self.host.data_dir)
        await self.upstream.reset()

    async def stop_services(self) -> None:
        """End every live service, the youngest first; the next request starts it again."""
        while self.live:
            ending = list(self.live.items())
            for _, service in reversed(ending):
                await service.stop()
            for key, _ in ending:
                del self.live[key]

    async def _refuse_large(self, exchange: Exchange, proceed: Proceed) -> None:
        """Refuse a request whose body is too large to be read whole."""
        try:
            await proceed(exchange)
        except BodyTooLargeError as error:
            await exchange.drop_body()
            refusal = AwsError("RequestEntityTooLargeException", str(error), status=413)
            response = error_response(exchange.scope, refusal)
            response.headers["connection"] = "close"
            await response(exchange.scope, exchange.receive, exchange.send)

    async def _serve_own_paths(self, exchange: Exchange, proceed: Proceed) -> None:
        """Answer at the paths of the emulator's own applications what no AWS client has signed."""
        path = exchange.scope["path"]
        if not identify.signing_name(exchange.headers, exchange.query):
            for prefix, application in self._prefixes.items():
                if path == prefix or path.startswith(f"{prefix}/"):
                    if prefix != REGISTRY:  # where layers stream
                        await exchange.read(MOST_CONTROL)
                    await application(exchange.scope, exchange.replayed, exchange.send)
                    return
        await proceed(exchange)

    async def _identify(self, exchange: Exchange, proceed: Proceed) -> None:
        """Find out which service and operation a request is for, from its body, too, if need be."""
        headers = exchange.headers
        # Whatever its type, S3's bodies are content: they stream.
        is_post = exchange.scope["method"] == "POST"
        signed_for = identify.signing_name(headers, exchange.query)
        form = is_post and identify.is_form(headers) and signed_for != "s3"
        if form or "x-amz-target" in headers or identify.is_rpc(headers):
            await exchange.read()
        body = wire.plain(headers, exchange.body)
        path = exchange.scope["path"]
        exchange.address = identify.identify(headers, query=exchange.query, body=body, path=path)
        signed = identify.service_of(headers, query=exchange.query, path=path)
        if not exchange.address.service and signed in self._services:
            exchange.address = replace(exchange.address, service=signed)
        await proceed(exchange)

    async def _apply_faults(self, exchange: Exchange, proceed: Proceed) -> None:
        """Apply the active faults to a request."""
        faults = striking(self.host.faults, exchange) if self.host.faults else []
        if faults:
            await disturb(exchange, faults, proceed)
        else:
            await proceed(exchange)

    async def _serve_live(self, exchange: Exchange, proceed: Proceed) -> None:
        """Answer every request for a live service: the upstream knows none of its resources."""
        if exchange.address.service not in self._services:
            await proceed(exchange)
            return
        response = await self._answer(exchange)
        await response(exchange.scope, exchange.receive, exchange.send)

    async def _pass_on(self, exchange: Exchange, proceed: Proceed) -> None:  # noqa: ARG002 - the last handler
        """Give a request to the upstream, unless it is about what only the live services know."""
        try:
            check_upstream(exchange, self._services)
        except AwsError as error:
            refusal = error_response(exchange.scope, error, exchange.address)
            await refusal(exchange.scope, exchange.receive, exchange.send)
            return
        self.host.passed_on.add(exchange.address.operation)
        scope = {**exchange.scope, "aws.service": exchange.address.service}
        await self.upstream(scope, exchange.replayed, exchange.send)

    async def _answer(self, exchange: Exchange) -> Response:
        address, scope = exchange.address, exchange.scope
        service, operation = address.service, address.operation
        try:
            self._check_served(address)
            params = wire.parse(
                service,
                operation,
                method=scope["method"],
                path=scope["path"],
                headers=exchange.headers,
                body=wire.plain(exchange.headers, exchange.body) or scope["query_string"],
                protocol=address.protocol,
            )
            result = await self.dispatch(service, operation, address.region or self.region, params)
        except AwsError as error:
            return error_response(scope, error, address)
        except Exception:
            log.exception("%s %s failed", service, operation)
            code = "ServerException" if service == "ecs" else "InternalFailure"
            return error_response(scope, AwsError(code, "Service Unavailable.", status=500), address)
        status, headers, content = wire.serialise(service, operation, result, protocol=address.protocol)
        return Response(content, status_code=status, headers=headers)

    def _check_served(self, address: identify.Address) -> None:
        """Refuse what AWS's model of a service does not have, and what the live service does not serve.

        Raises:
            AwsError: By the name of the operation.
        """
        service, operation = address.service, address.operation
        if not wire.has_operation(service, operation):
            raise wire.unknown_operation(service, operation, address.protocol)
        if not self.is_live(service, operation):
            raise not_implemented(f"The emulator does not serve {operation} of the live service {service}.")
