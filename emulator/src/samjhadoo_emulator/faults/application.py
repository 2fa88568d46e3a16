"""The control endpoint's faults: `POST`, `GET` and `DELETE /_emulator/faults`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from samjhadoo_emulator.errors import AwsError
from samjhadoo_emulator.faults.actions import act
from samjhadoo_emulator.faults.kinds import Disturbance, fault_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.edge import Edge


def fault_routes(prefix: str, edge: Callable[[], Edge]) -> list[Route]:
    """Return the routes under `prefix`."""

    async def add(request: Request) -> JSONResponse:
        try:
            fault = fault_of(await request.body())
            if isinstance(fault, Disturbance):
                return JSONResponse(edge().host.faults.add(fault).document(), status_code=201)
            return JSONResponse(await act(edge(), fault), status_code=201)
        except (msgspec.DecodeError, AwsError) as error:
            return JSONResponse({"message": str(error)}, status_code=400)

    async def show(_: Request) -> JSONResponse:
        return JSONResponse([entry.document() for entry in edge().host.faults.entries.values()])

    async def clear(_: Request) -> Response:
        edge().host.faults.clear()
        return Response(status_code=204)

    async def remove(request: Request) -> Response:
        found = edge().host.faults.remove(request.path_params["id"])
        return (
            Response(status_code=204)
            if found
            else JSONResponse({"message": "There is no such fault."}, status_code=404)
        )

    return [
        Route(f"{prefix}/faults", add, methods=["POST"]),
        Route(f"{prefix}/faults", show, methods=["GET"]),
        Route(f"{prefix}/faults", clear, methods=["DELETE"]),
        Route(f"{prefix}/faults/{{id}}", remove, methods=["DELETE"]),
    ]
