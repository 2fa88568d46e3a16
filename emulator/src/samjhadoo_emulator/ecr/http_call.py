"""Requests to the distribution API that name a repository, and its errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from samjhadoo_emulator.errors import AwsError

if TYPE_CHECKING:
    from starlette.requests import Request

    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.ecr.registry import Registry


@dataclass(frozen=True)
class Call:
    """What every handler is given.

    Attributes:
        repository: The repository that its path names.
        rest: What the path names inside the repository: a digest, a tag, an upload.
    """

    request: Request
    registry: Registry
    repository: Repository
    rest: str

    def address(self, path: str) -> str:
        """Return the absolute address of a path in the repository: some clients resolve no relative ones."""
        return f"{self.request.url.scheme}://{self.request.url.netloc}/v2/{self.repository.name}/{path}"


_CODES = {
    "RepositoryNotFoundException": (404, "NAME_UNKNOWN"),
    "ImageNotFoundException": (404, "MANIFEST_UNKNOWN"),
    "ImageTagAlreadyExistsException": (400, "TAG_INVALID"),
    "ImageDigestDoesNotMatchException": (400, "DIGEST_INVALID"),
    "InvalidParameterException": (400, "MANIFEST_INVALID"),
    "InvalidLayerException": (400, "DIGEST_INVALID"),
    "LayersNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "ReferencedImagesNotFoundException": (400, "MANIFEST_BLOB_UNKNOWN"),
    "UploadNotFoundException": (404, "BLOB_UPLOAD_UNKNOWN"),
}


class DistributionError(Exception):
    """An error as the distribution specification words it."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int,
        detail: Any = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail
        self.headers = headers

    def response(self) -> JSONResponse:
        """Return the HTTP answer."""
        details = self.detail if isinstance(self.detail, list) else [self.detail]
        errors = [
            {"code": self.code, "message": self.message, **({} if detail is None else {"detail": detail})}
            for detail in details
        ]
        return JSONResponse({"errors": errors}, status_code=self.status, headers=self.headers)


def translate(error: Exception) -> DistributionError:
    """Return an error of the registry in the distribution API's words."""
    if not isinstance(error, AwsError):
        return DistributionError("MANIFEST_INVALID", str(error), status=400)
    status, code = _CODES.get(error.code, (400, "UNKNOWN"))
    digests = getattr(error, "digests", None)
    detail = [{"digest": digest} for digest in digests] if digests else None
    return DistributionError(code, error.message, status=status, detail=detail)
