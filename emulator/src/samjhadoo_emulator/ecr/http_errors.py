"""Errors of the distribution API, and how ECR's own errors appear there."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from samjhadoo_emulator.errors import AwsError

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
