"""Can the release be started, and the running one be returned to: task definition, rollback target, image."""

from __future__ import annotations

import fnmatch
import json
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.gate import Facts, Finding, GatePolicy, Stage, gate, ok, refused, skipped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_ops.environment.schema import ImageGate

_DAY = 86_400.0
_SCANNING = frozenset({"IN_PROGRESS", "PENDING"})
_SCANNED = frozenset({"COMPLETE", "ACTIVE"})
_SCAN_POLL = 5.0
"""Seconds on the clock between two questions for a scan that is still running."""


@gate("the image holds what its commit holds", policy=GatePolicy.WARN)
def clean_source(facts: Facts) -> Finding:
    """Refuse when a commit does not make the image, so that nobody could make it again."""
    source = facts.source()
    if source.is_reproducible:
        return ok(f"release {source.version}")
    return refused(
        f"release {source.version} is not what a commit holds",
        remedy="commit the files, or list what the image does not need in .dockerignore",
        details=source.differences,
    )


@gate("there is a release to roll back to")
def rollback_target(facts: Facts) -> Finding:
    """Refuse when the running release's task definition or image is gone, or its image is about to go.

    ECS rolls back to the running release's task definition and pulls its image again when a task restarts:
    both must outlive the deployment.
    """
    if facts.first:
        return skipped("no deployment has succeeded yet")
    arns = {str(revision["taskDefinition"]) for revision in facts.revisions.values()}
    if len(arns) != 1:
        return skipped(f"{len(arns)} task definitions are running")
    arn = arns.pop()
    name = arn.rpartition("/")[2]
    registered = facts.ecs.task_definition(arn)
    if registered is None or registered.document.get("status") != "ACTIVE":
        return refused(
            f"{name}, which is running, is not registered with ECS any more",
            remedy="register it again, or override: a rollback would fail",
        )
    container = facts.env.service.container
    images = {each["name"]: str(each["image"]) for each in registered.document["containerDefinitions"]}
    running = images.get(container, "")
    repository = facts.env.build.repository
    reference = image_id(running, repository)
    if not reference:
        return ok(f"{name}; its image {running} is not from {repository}")
    return _kept(facts, name, reference)


def image_id(reference: str, repository: str) -> dict[str, str]:
    """Return ECR's identifier of an image of a repository; empty when it belongs to another one."""
    place, at, digest = reference.partition("@")
    if at:
        named = place.rpartition(":")[0] if ":" in place.rpartition("/")[2] else place
        return {"imageDigest": digest} if named.endswith(f"/{repository}") else {}
    place, _, tag = reference.rpartition(":")
    return {"imageTag": tag} if place.endswith(f"/{repository}") else {}


def _kept(facts: Facts, name: str, reference: dict[str, str]) -> Finding:
    ecr, repository = facts.aws.client("ecr"), facts.env.build.repository
    shown = next(iter(reference.values()))
    try:
        found = ecr.describe_images(repositoryName=repository, imageIds=[reference])["imageDetails"][0]
    except (ecr.exceptions.ImageNotFoundException, IndexError):
        return refused(
            f"the image of {name}, {shown}, is not in {repository} any more",
            remedy="push it again, or override: tasks of the running release could not be replaced",
        )
    within = float(facts.env.gates.rollback_target.image_kept)
    why = _removal(ecr, repository, found, at=facts.now.timestamp() + within)
    if why:
        return refused(
            f"the image of {name} is about to be removed: {why}",
            remedy=f"change the lifecycle policy of {repository} so that it keeps running releases",
        )
    return ok(f"{name} is registered, its image is kept")


def _removal(ecr: Any, repository: str, found: dict[str, Any], *, at: float) -> str:
    try:
        policy = ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return ""
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
    images = [each for page in pages for each in page["imageDetails"]]
    return expires(policy, images, found["imageDigest"], now=at)


def expires(policy: str, images: Sequence[Mapping[str, Any]], digest: str, *, now: float) -> str:
    """Return why a lifecycle policy removes an image at a time; empty when it keeps the image.

    Rules after ECR's guide (`lifecycle_policy_parameters`): by priority; an image is counted by the first
    rule that it matches; `imageCountMoreThan` keeps the newest, `sinceImagePushed` those that are younger.
    ECR's own preview would be a call that starts something. One more image is about to be pushed, so one
    fewer of the present ones is kept by count.

    Args:
        policy: The lifecycle policy, as JSON.
        images: The repository's images, as DescribeImages returns them.
        now: Unix time.
    """
    rules = sorted(json.loads(policy).get("rules", ()), key=lambda rule: rule.get("rulePriority", 0))
    newest = sorted(images, key=lambda image: image["imagePushedAt"], reverse=True)
    for rule in rules:
        selection = rule.get("selection", {})
        matching = [image for image in newest if _matches(selection, image)]
        places = {image["imageDigest"]: place for place, image in enumerate(matching)}
        if digest not in places:
            continue
        number, kind = int(selection.get("countNumber", 0)), selection.get("countType")
        name = rule.get("description") or f"rule {rule.get('rulePriority')}"
        if kind == "imageCountMoreThan":
            over = places[digest] + 1 >= number
            return f"{name} keeps {number} images, it is number {places[digest] + 1}" if over else ""
        if kind == "sinceImagePushed":
            age = (now - matching[places[digest]]["imagePushedAt"].timestamp()) / _DAY
            return f"{name} keeps images for {number} days, it is {age:.0f} old" if age >= number else ""
        return ""
    return ""


def _matches(selection: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    tags = found.get("imageTags") or []
    status = selection.get("tagStatus", "any")
    if status == "any":
        return True
    if status == "untagged":
        return not tags
    prefixes = [f"{prefix}*" for prefix in selection.get("tagPrefixList", ())]
    patterns = prefixes or list(selection.get("tagPatternList", ()))
    matched = [any(fnmatch.fnmatchcase(tag, pattern) for tag in tags) for pattern in patterns]
    return bool(tags) and all(matched)


@gate("the image exists and its scan findings are within the limits", stage=Stage.IMAGE)
def image(facts: Facts) -> Finding:
    """Refuse when the image is not in the repository, or its scan found more than is allowed."""
    release = facts.image
    if release is None or not release.digest:
        return skipped("it is not pushed yet; deploy checks it after the push")
    ecr, repository = facts.aws.client("ecr"), facts.env.build.repository
    try:
        ecr.describe_images(repositoryName=repository, imageIds=[{"imageDigest": release.digest}])
    except ecr.exceptions.ImageNotFoundException:
        return refused(f"{repository} has no image {release.digest}", remedy="push it: invoke push")
    settings = facts.env.gates.image
    deadline = facts.clock.timestamp() + (float(settings.wait) if release.fresh else 0.0)
    while True:
        status, counts = _scan(ecr, repository, release.digest)
        if status not in _SCANNING or facts.clock.timestamp() >= deadline:
            return decide_scan(status, counts, settings)
        facts.clock.sleep(_SCAN_POLL)


def decide_scan(status: str, counts: Mapping[str, int], settings: ImageGate) -> Finding:
    """Return the finding for a scan's status (empty for none) and its findings by severity."""
    if status not in _SCANNED:
        reason = f"it was not scanned ({status or 'no scan'})"
        if settings.unscanned == "skip":
            return skipped(reason)
        return refused(
            reason, remedy="switch on scanning of the repository (scan on push), then deploy again"
        )
    limits = {"CRITICAL": settings.critical, "HIGH": settings.high, "MEDIUM": settings.medium}
    over = [
        f"{counts[severity]} {severity.lower()} (allowed: {limit})"
        for severity, limit in limits.items()
        if 0 <= limit < counts.get(severity, 0)
    ]
    if over:
        return refused(f"its scan found {', '.join(over)}", remedy="build it on a patched base image")
    found = ", ".join(f"{count} {severity.lower()}" for severity, count in sorted(counts.items()) if count)
    return ok(f"in the repository; its scan found {found or 'nothing'}")


def _scan(ecr: Any, repository: str, digest: str) -> tuple[str, dict[str, int]]:
    try:
        answer = ecr.describe_image_scan_findings(
            repositoryName=repository, imageId={"imageDigest": digest}, maxResults=1
        )
    except ecr.exceptions.ScanNotFoundException:
        return "", {}
    counts = (answer.get("imageScanFindings") or {}).get("findingSeverityCounts") or {}
    return str(answer.get("imageScanStatus", {}).get("status", "")), dict(counts)
