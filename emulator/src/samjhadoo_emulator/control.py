"""The control endpoint under `/_emulator`: health, clock, faults, scan findings, what serves each service."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samjhadoo_emulator.certificates.store import CertificateStore
from samjhadoo_emulator.ecr.scanning import ecr_routes
from samjhadoo_emulator.faults.actions import fault_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.edge import Edge

PREFIX = "/_emulator"


def _bare(names: list[str]) -> set[str]:
    """Return services' names as moto writes them, which may name one that is live in another way."""
    return {name.replace("-", "") for name in names}


def control_application(edge: Callable[[], Edge]) -> Starlette:
    """Return the control endpoint of the edge that `edge` gives (it exists after this application)."""

    async def health(_: Request) -> JSONResponse:
        host = edge().host
        upstream = await edge().upstream.info()
        return JSONResponse(
            {
                "status": "running",
                "upstream": upstream.shown(),
                "account": host.account,
                "region": edge().region,
                "clock": {
                    "minute": host.clock.minute,
                    "origin": host.clock.origin,
                    "now": host.clock.timestamp(),
                },
            }
        )

    async def state(_: Request) -> JSONResponse:
        """Show a summary of each live service; secrets are the upstream's, and so never there."""
        live = edge().live
        return JSONResponse({f"{name}/{region}": service.dump() for (name, region), service in live.items()})

    async def listeners(_: Request) -> JSONResponse:
        balancing = [service for (name, _), service in edge().live.items() if name == "elbv2"]
        return JSONResponse([row for service in balancing for row in service.bound_ports()])  # type: ignore[attr-defined]

    async def authority(_: Request) -> Response:
        """Return the certificate of the authority that issues what load balancers show to clients."""
        found = CertificateStore.of(edge().host).authority
        certificate = await asyncio.to_thread(found.certificate)
        return Response(certificate, media_type="application/x-pem-file")

    async def services(_: Request) -> JSONResponse:
        """Return what serves each AWS service; operations that a live service lacks go upstream, too."""
        live = edge().live_names
        served = await edge().upstream.serving()
        others = {name: by for name, by in served.items() if name.replace("-", "") not in _bare(live)}
        return JSONResponse({**others, **dict.fromkeys(live, "live")})

    return Starlette(
        routes=[
            Route(f"{PREFIX}/health", health),
            Route(f"{PREFIX}/state", state),
            Route(f"{PREFIX}/listeners", listeners),
            Route(f"{PREFIX}/services", services),
            Route(f"{PREFIX}/ca.pem", authority),
            *fault_routes(PREFIX, edge),
            *ecr_routes(PREFIX, edge),
        ],
    )
