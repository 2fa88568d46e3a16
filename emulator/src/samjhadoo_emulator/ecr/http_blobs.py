"""Blobs over HTTP: downloads with ranges, and uploads in one request, in chunks or as a stream."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response

from samjhadoo_emulator.ecr.blobs import is_digest
from samjhadoo_emulator.ecr.http_call import DistributionError

if TYPE_CHECKING:
    from starlette.requests import Request

    from samjhadoo_emulator.ecr.blobs import Upload
    from samjhadoo_emulator.ecr.http_call import Call

BUFFER = 1 << 20
"""Bytes of an upload that are held in memory before they go to disk."""
_SPAN = re.compile(r"(\d*)-(\d*)")
_RANGES = re.compile(r"bytes=\s*(?:\d+-\d*|-\d+)(?:\s*,\s*(?:\d+-\d*|-\d+))*\s*", re.ASCII)
_RANGE = re.compile(r"(?:bytes[ =])?(?P<first>[0-9]{1,18})-(?P<last>[0-9]{1,18})(?:/.*)?")


async def read(call: Call) -> Response:
    """Serve a blob, whole or in the requested ranges."""
    digest = _blob(call)
    _drop_invalid_range(call.request)
    headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
    return FileResponse(
        call.registry.blobs.path(digest), media_type="application/octet-stream", headers=headers
    )


def _drop_invalid_range(request: Request) -> None:
    """Ignore a range that is none, such as one that ends before it begins (RFC 9110, section 14.2)."""
    spans = _SPAN.findall(request.headers.get("range", ""))
    valid = _RANGES.fullmatch(request.headers.get("range", ""))
    if not valid or any(first and last and int(last) < int(first) for first, last in spans):
        request.scope["headers"] = [each for each in request.scope["headers"] if each[0] != b"range"]


async def delete(call: Call) -> Response:
    """Remove a blob from the repository."""
    call.registry.unlink(call.repository, _blob(call))
    return Response(status_code=202)


async def start(call: Call) -> Response:
    """Begin an upload; mount the blob instead when another repository has it; or take it all at once."""
    query = call.request.query_params
    mount, digest = query.get("mount", ""), query.get("digest", "")
    if mount and call.registry.mount(call.repository, mount, source=query.get("from", "")):
        return _created(call, mount)
    if digest:
        _require_digest(digest)
    upload = call.registry.start_upload(call.repository)
    if not digest:
        return _progress(call, upload, status=202)
    async with upload.lock:
        await _receive(call.request, upload)
        await call.registry.complete_upload(call.repository, upload, digest)
    return _created(call, digest)


async def status(call: Call) -> Response:
    """Return how much of an upload has arrived."""
    return _progress(call, _upload(call), status=204)


async def append(call: Call) -> Response:
    """Take the next chunk, or a stream."""
    upload = _upload(call)
    async with upload.lock:
        await _receive_chunk(call, upload)
    return _progress(call, upload, status=202)


async def finish(call: Call) -> Response:
    """Take what is left, and turn the upload into a blob if it has the promised digest."""
    upload = _upload(call)
    digest = call.request.query_params.get("digest", "")
    _require_digest(digest)
    async with upload.lock:
        await _receive_chunk(call, upload)
        await call.registry.complete_upload(call.repository, upload, digest)
    return _created(call, digest)


async def cancel(call: Call) -> Response:
    """End an upload."""
    upload = _upload(call)
    async with upload.lock:
        call.registry.cancel_upload(call.repository, upload)
    return Response(status_code=204)


async def _receive_chunk(call: Call, upload: Upload) -> None:
    if upload.ended:  # by a request that held the lock before this one
        call.registry.upload(call.repository, upload.id)
    stated = call.request.headers.get("content-range")
    if stated is None:
        await _receive(call.request, upload)
        return
    match = _RANGE.fullmatch(stated.strip())
    if match is None or int(match["first"]) != upload.size or int(match["last"]) < int(match["first"]):
        message = f"The chunk {stated!r} does not follow the {upload.size} bytes received so far"
        raise DistributionError("BLOB_UPLOAD_INVALID", message, status=416, headers=_position(call, upload))
    mark = upload.mark()
    await _receive(call.request, upload)
    if upload.size != int(match["last"]) + 1:
        got, wanted = upload.size - int(match["first"]), int(match["last"]) - int(match["first"]) + 1
        upload.rewind(mark)
        raise DistributionError("SIZE_INVALID", f"The chunk has {got} bytes, not {wanted}", status=400)


async def _receive(request: Request, upload: Upload) -> None:
    """Write a request's body to an upload; what arrived before a connection broke is kept."""
    buffer = bytearray()
    try:
        async for chunk in request.stream():
            buffer += chunk
            if len(buffer) >= BUFFER:
                full, buffer = buffer, bytearray()
                await asyncio.to_thread(upload.append, full)
    finally:
        if buffer:
            upload.append(buffer)


def _progress(call: Call, upload: Upload, *, status: int) -> Response:
    return Response(status_code=status, headers=_position(call, upload))


def _position(call: Call, upload: Upload) -> dict[str, str]:
    return {
        "Location": call.address(f"blobs/uploads/{upload.id}"),
        "Range": f"0-{max(upload.size - 1, 0)}",
        "Docker-Upload-UUID": upload.id,
    }


def _created(call: Call, digest: str) -> Response:
    headers = {"Location": call.address(f"blobs/{digest}"), "Docker-Content-Digest": digest}
    return Response(status_code=201, headers=headers)


def _upload(call: Call) -> Upload:
    return call.registry.upload(call.repository, call.rest)


def _blob(call: Call) -> str:
    digest = call.rest
    _require_digest(digest)
    if digest not in call.repository.blobs:
        detail = {"digest": digest}
        raise DistributionError("BLOB_UNKNOWN", "blob unknown to registry", status=404, detail=detail)
    return digest


def _require_digest(digest: str) -> None:
    if not is_digest(digest):
        detail = {"digest": digest}
        raise DistributionError("DIGEST_INVALID", f"{digest!r} is not a digest", status=400, detail=detail)
