"""Image scanning, a stub that is marked as one: nothing is scanned; findings are set by clients.

A deploy gate on findings can be rehearsed with them: `POST /_emulator/ecr/findings` sets what the scan of an
image, of a repository or of everything is to find; without that, a scan finds nothing. The life of a scan
(started by the API or by a push, in progress, complete, one a day) is ECR's.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from starlette.responses import JSONResponse
from starlette.routing import Route

from samjhadoo_emulator.ecr.base import RegistryService
from samjhadoo_emulator.ecr.manifests import INDEXES
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECR
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from starlette.requests import Request

    from samjhadoo_emulator.ecr.model import Image, Repository
    from samjhadoo_emulator.edge import Edge
    from samjhadoo_emulator.service import Params, Result

STUB = "The emulator scans nothing; findings are those set at /_emulator/ecr/findings."
DURATION = timedelta(minutes=1)
"""Emulated time that a scan takes."""
QUOTA = timedelta(hours=24)
"""An image is scanned by request once in this emulated time [AWS: LimitExceededException]."""


@dataclass
class FindingSets:
    """The findings that scans return, the most specific first: of an image, a repository, anything."""

    sets: dict[tuple[str, str], list[dict[str, Any]]] = field(default_factory=dict)

    def put(self, repository: str, image: str, findings: list[dict[str, Any]]) -> None:
        """Set findings; `repository` and `image` (a tag or digest) may be empty: any."""
        self.sets[repository, image] = findings

    def of(self, repository: Repository, image: Image) -> list[dict[str, Any]]:
        """Return the findings of an image."""
        names = [image.digest, *repository.tags_of(image.digest), ""]
        keys = [*((repository.name, name) for name in names), ("", "")]
        return next((self.sets[key] for key in keys if key in self.sets), [])


class ScanOperations(RegistryService):
    """Operations on image scans."""

    findings: FindingSets

    @operation("PutImageScanningConfiguration")
    async def put_image_scanning_configuration(self, params: Params) -> Result:
        """Set whether images are scanned when they are pushed."""
        repository = self.repository(params)
        repository.settings["imageScanningConfiguration"] = params["imageScanningConfiguration"]
        return self.named(repository, imageScanningConfiguration=params["imageScanningConfiguration"])

    @operation("BatchGetRepositoryScanningConfiguration")
    async def batch_get_repository_scanning_configuration(self, params: Params) -> Result:
        """Return how repositories are scanned."""
        configurations, failures = [], []
        for name in params["repositoryNames"]:
            repository = self.registry.repositories.get(name)
            if repository is None:
                reason = (
                    f"The repository with name '{name}' does not exist in the registry with id "
                    f"'{self.account}'"
                )
                failures.append(
                    {"repositoryName": name, "failureCode": "REPOSITORY_NOT_FOUND", "failureReason": reason}
                )
                continue
            on_push = repository.scan_on_push
            configurations.append(
                {
                    "repositoryArn": f"{self.home().prefix}repository/{name}",
                    "repositoryName": name,
                    "scanOnPush": on_push,
                    "scanFrequency": "SCAN_ON_PUSH" if on_push else "MANUAL",
                    "appliedScanFilters": [],
                }
            )
        return {"scanningConfigurations": configurations, "failures": failures}

    @operation("StartImageScan")
    async def start_image_scan(self, params: Params) -> Result:
        """Begin to "scan" an image."""
        repository, image = self._named_image(params)
        if image.manifest.media_type in INDEXES:
            raise AwsError(
                "UnsupportedImageTypeException",
                "Failed to scan the image: manifests of media type "
                f"'{image.manifest.media_type}' are not supported",
            )
        now = self.clock.now()
        if image.scanned_at is not None and now - image.scanned_at < QUOTA:
            raise AwsError(
                "LimitExceededException", "The scan quota per image has been exceeded. Wait and try again."
            )
        image.scanned_at = now
        return self.named(repository, imageId=_id(params, image), imageScanStatus=self.scan_status(image))

    @operation("DescribeImageScanFindings")
    async def describe_image_scan_findings(self, params: Params) -> Result:
        """Return the findings that were set for an image that was "scanned"."""
        repository, image = self._named_image(params)
        if image.scanned_at is None:
            asked = params["imageId"]
            raise AwsError(
                "ScanNotFoundException",
                f"Image scan does not exist for the image with '{{imageDigest:'"
                f"{asked.get('imageDigest', 'null')}', imageTag:'{asked.get('imageTag', 'null')}'}}' in the "
                f"repository with name '{repository.name}' in the registry with id '{self.account}'",
            )
        status = self.scan_status(image)
        answer = self.named(repository, imageId=_id(params, image), imageScanStatus=status)
        if status["status"] != "COMPLETE":
            return answer
        shown, more = ECR.page(self.findings.of(repository, image), params)
        return (
            answer
            | {"imageScanFindings": {**self.summary(repository, image), "findings": list(shown)}}
            | more
        )

    def scan_status(self, image: Image) -> dict[str, str]:
        """Return the `ImageScanStatus` of an image whose scan was started."""
        done = image.scanned_at is not None and self.clock.now() - image.scanned_at >= DURATION
        return {"status": "COMPLETE" if done else "IN_PROGRESS", "description": STUB}

    def summary(self, repository: Repository, image: Image) -> dict[str, Any]:
        """Return the `ImageScanFindingsSummary` of an image whose scan is complete."""
        completed: datetime = (image.scanned_at or self.clock.now()) + DURATION
        counts = Counter(finding["severity"] for finding in self.findings.of(repository, image))
        return {
            "imageScanCompletedAt": completed,
            "vulnerabilitySourceUpdatedAt": completed,
            "findingSeverityCounts": dict(counts),
        }

    def _named_image(self, params: Params) -> tuple[Repository, Image]:
        repository, asked = self.repository(params), params["imageId"]
        if not asked:
            raise invalid_parameter(
                "Invalid request parameters: both tag and digest cannot be null",
            )
        image = self.registry.image(repository, digest=asked.get("imageDigest"), tag=asked.get("imageTag"))
        return repository, image


def _id(params: Params, image: Image) -> dict[str, str]:
    return {**params["imageId"], "imageDigest": image.digest}


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
