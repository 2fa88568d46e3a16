"""Manifests, tags, referrers and the catalogue over HTTP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from samjhadoo_emulator.ecr.blobs import is_digest
from samjhadoo_emulator.ecr.http_call import DistributionError
from samjhadoo_emulator.ecr.manifests import MAX_SIZE, OCI_INDEX

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from samjhadoo_emulator.ecr.http_call import Call
    from samjhadoo_emulator.ecr.model import Image
    from samjhadoo_emulator.ecr.registry import Registry

_NUMBER = re.compile(r"[0-9]{1,18}")


async def read(call: Call) -> Response:
    """Serve a manifest: the very bytes that were pushed."""
    image = call.registry.image(call.repository, **_reference(call.rest))
    if call.request.method == "GET":
        call.registry.pulled(image)
    return Response(
        image.content,
        media_type=image.manifest.media_type,
        headers={"Docker-Content-Digest": image.digest, "ETag": f'"{image.digest}"'},
    )


async def write(call: Call) -> Response:
    """Store a manifest under a tag or its digest."""
    content = bytearray()
    async for chunk in call.request.stream():
        content += chunk
        if len(content) > MAX_SIZE:
            raise DistributionError("SIZE_INVALID", f"Manifests have {MAX_SIZE} bytes at most", status=413)
    media_type = call.request.headers.get("content-type", "")
    image = call.registry.put_image(
        call.repository, bytes(content), media_type=media_type, **_reference(call.rest)
    )
    headers = {
        "Location": call.address(f"manifests/{image.digest}"),
        "Docker-Content-Digest": image.digest,
    }
    if image.manifest.subject:
        headers["OCI-Subject"] = image.manifest.subject
    return Response(status_code=201, headers=headers)


async def delete(call: Call) -> Response:
    """Delete an image by digest, or a tag."""
    image = call.registry.image(call.repository, **_reference(call.rest))
    if call.repository.tags.pop(call.rest, None) is None:
        call.registry.delete_image(call.repository, image.digest)
    return Response(status_code=202)


async def tags(call: Call) -> Response:
    """List tags in lexical order."""
    return _page(call.request, sorted(call.repository.tags), key="tags", name=call.repository.name)


async def referrers(call: Call) -> Response:
    """List the manifests whose subject is the requested digest, as an index."""
    wanted = call.request.query_params.get("artifactType")
    found: Iterable[Image] = call.repository.referrers(_digest(call.rest))
    if wanted is not None:
        found = (image for image in found if image.manifest.artifact_type == wanted)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [_descriptor(image) for image in found]}
    headers = {"OCI-Filters-Applied": "artifactType"} if wanted is not None else None
    return JSONResponse(index, media_type=OCI_INDEX, headers=headers)


def catalog(request: Request, registry: Registry) -> Response:
    """List repositories in lexical order."""
    return _page(request, sorted(registry.repositories), key="repositories")


def _reference(reference: str) -> dict[str, str]:
    """Return a reference as the registry takes it: by digest or by tag."""
    return {"digest": _digest(reference)} if ":" in reference else {"tag": reference}


def _digest(digest: str) -> str:
    if not is_digest(digest):
        detail = {"digest": digest}
        raise DistributionError("DIGEST_INVALID", f"{digest!r} is not a digest", status=400, detail=detail)
    return digest


def _descriptor(image: Image) -> dict[str, Any]:
    manifest = image.manifest
    descriptor = {"mediaType": manifest.media_type, "digest": image.digest, "size": len(image.content)}
    if manifest.artifact_type:
        descriptor["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        descriptor["annotations"] = manifest.annotations
    return descriptor


def _page(request: Request, items: list[str], *, key: str, **members: str) -> Response:
    """Answer with the items after `last`, `n` at most, and a link to the next page when there is one."""
    query = request.query_params
    count = query.get("n")
    if count is not None and not _NUMBER.fullmatch(count):
        message = f"n is {count[:40]!r}, not a number"
        raise DistributionError("PAGINATION_NUMBER_INVALID", message, status=400)
    rest = [item for item in items if item > query["last"]] if "last" in query else items
    shown = rest if count is None else rest[: int(count)]
    headers = {}
    if shown and len(shown) < len(rest):
        following = urlencode({"n": count, "last": shown[-1]})
        headers["Link"] = f'<{request.url.path}?{following}>; rel="next"'
    return JSONResponse({**members, key: shown}, headers=headers)
