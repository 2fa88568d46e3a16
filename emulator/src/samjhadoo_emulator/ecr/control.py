"""The control endpoint's part for ECR: `POST /_emulator/ecr/findings`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from samjhadoo_emulator.edge import Edge

Severity = Literal["CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED"]


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """ECR's `ImageScanFinding`."""

    name: str
    severity: Severity
    description: str = ""
    uri: str = ""
    attributes: list[dict[str, str]] = []


class Findings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings for the scans of an image (a tag or digest), of a repository, or of everything."""

    findings: list[Finding]
    repository: str = ""
    image: str = ""
    region: str = ""


def ecr_routes(prefix: str, edge: Callable[[], Edge]) -> list[Route]:
    """Return the routes under `prefix`."""

    async def findings(request: Request) -> JSONResponse:
        try:
            wanted = msgspec.json.decode(await request.body(), type=Findings)
        except msgspec.DecodeError as error:
            return JSONResponse({"message": str(error)}, status_code=400)
        if wanted.image and not wanted.repository:
            return JSONResponse({"message": "image needs repository"}, status_code=400)
        service = await edge().service("ecr", wanted.region or edge().region)
        built: list[dict[str, Any]] = msgspec.to_builtins(wanted.findings)
        service.findings.put(wanted.repository, wanted.image, built)
        return JSONResponse({"repository": wanted.repository, "image": wanted.image, "findings": len(built)})

    return [Route(f"{prefix}/ecr/findings", findings, methods=["POST"])]
