"""The image is deployed by digest: it must be there, and no worse than the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.deployment.gates.ground import Ground
    from samjhadoo_ops.environment.gates import ImageGate

_RUNNING = frozenset({"IN_PROGRESS", "PENDING"})
_COMPLETE = frozenset({"COMPLETE", "ACTIVE"})
_LOOK_EVERY = 5.0
"""Seconds on the clock."""


def check(ground: Ground) -> Finding:
    """Refuse when the image is not in the repository, or its scan found more than is allowed."""
    image = ground.image
    if image is None or not image.digest:
        return skipped("it is not pushed yet; deploy looks at it after the push")
    ecr, repository = ground.aws.client("ecr"), ground.env.build.repository
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": image.digest}])
    except ecr.exceptions.ImageNotFoundException:
        return refused(f"{repository} has no image {image.digest}", remedy="push it: invoke push")
    settings = ground.env.gates.image
    deadline = ground.clock.timestamp() + (float(settings.wait) if image.fresh else 0.0)
    while True:
        status, counts = _scan(ecr, repository, image.digest)
        if status not in _RUNNING or ground.clock.timestamp() >= deadline:
            return decide(status, counts, settings)
        ground.clock.sleep(_LOOK_EVERY)


def decide(status: str, counts: Mapping[str, int], settings: ImageGate) -> Finding:
    """Return the finding for a scan's status (empty for none) and its findings by severity."""
    if status not in _COMPLETE:
        told = f"it was not scanned ({status or 'no scan'})"
        if settings.unscanned == "skip":
            return skipped(told)
        return refused(told, remedy="switch on scanning of the repository (scan on push), then deploy again")
    limits = {"CRITICAL": settings.critical, "HIGH": settings.high, "MEDIUM": settings.medium}
    over = [
        f"{counts[severity]} {severity.lower()} (allowed: {limit})"
        for severity, limit in limits.items()
        if 0 <= limit < counts.get(severity, 0)
    ]
    if over:
        return refused(f"its scan found {', '.join(over)}", remedy="build it on a mended base image")
    told = ", ".join(f"{count} {severity.lower()}" for severity, count in sorted(counts.items()) if count)
    return ok(f"in the repository; its scan found {told or 'nothing'}")


def _scan(ecr: Any, repository: str, digest: str) -> tuple[str, dict[str, int]]:
    try:
        answer = ecr.describe_image_scan_findings(
            repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
        )
    except ecr.exceptions.ScanNotFoundException:
        return "", {}
    counts = (answer.get("imageScanFindings") or {}).get("findingSeverityCounts") or {}
    return str(answer.get("imageScanStatus", {}).get("status", "")), dict(counts)


GATE = Gate("image", "the image is there and its scan is good enough", check, stage=Stage.IMAGE)
