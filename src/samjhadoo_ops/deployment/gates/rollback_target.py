"""ECS rolls back to the running release's task definition and pulls its image again when a task restarts:
both must outlive the deployment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_ops.deployment.gates.finding import Finding, ok, refused, skipped
from samjhadoo_ops.deployment.gates.gate import Gate
from samjhadoo_ops.deployment.gates.lifecycle import expires

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.gates.ground import Ground


def check(ground: Ground) -> Finding:
    """Refuse when the running release's task definition or image is gone, or its image is about to go."""
    if ground.first:
        return skipped("no deployment has succeeded yet")
    arns = {str(revision["taskDefinition"]) for revision in ground.revisions.values()}
    if len(arns) != 1:
        return skipped(f"{len(arns)} task definitions are running")
    arn = arns.pop()
    name = arn.rpartition("/")[2]
    registered = ground.ecs.task_definition(arn)
    if registered is None or registered.document.get("status") != "ACTIVE":
        return refused(
            f"{name}, which is running, is not registered with ECS any more",
            remedy="register it again, or override: a rollback would fail",
        )
    container = ground.env.service.container
    images = {each["name"]: str(each["image"]) for each in registered.document["containerDefinitions"]}
    image = images.get(container, "")
    repository = ground.env.build.repository
    reference = image_id(image, repository)
    if not reference:
        return ok(f"{name}; its image {image} is not of {repository}")
    return _image(ground, name, reference)


def image_id(image: str, repository: str) -> dict[str, str]:
    """Return how ECR knows an image of a repository; nothing when it belongs to another one."""
    place, at, digest = image.partition("@")
    if at:
        named = place.rpartition(":")[0] if ":" in place.rpartition("/")[2] else place
        return {"imageDigest": digest} if named.endswith(f"/{repository}") else {}
    place, _, tag = image.rpartition(":")
    return {"imageTag": tag} if place.endswith(f"/{repository}") else {}


def _image(ground: Ground, name: str, reference: dict[str, str]) -> Finding:
    ecr, repository = ground.aws.client("ecr"), ground.env.build.repository
    said = next(iter(reference.values()))
    try:
        image = ecr.describe_images(repositoryName=repository, imageIds=[reference])["imageDetails"][0]
    except (ecr.exceptions.ImageNotFoundException, IndexError):
        return refused(
            f"the image of {name}, {said}, is not in {repository} any more",
            remedy="push it again, or override: tasks of the running release could not be replaced",
        )
    kept = ground.env.gates.rollback_target.image_kept
    why = _lifecycle(ecr, repository, image, within=float(kept), now=ground.now.timestamp())
    if why:
        return refused(
            f"the image of {name} is about to be removed: {why}",
            remedy=f"change the lifecycle policy of {repository} so that it keeps running releases",
        )
    return ok(f"{name} is registered, its image is kept")


def _lifecycle(ecr: Any, repository: str, image: dict[str, Any], *, within: float, now: float) -> str:
    try:
        policy = ecr.get_lifecycle_policy(repositoryName=repository)["lifecyclePolicyText"]
    except ecr.exceptions.LifecyclePolicyNotFoundException:
        return ""
    pages = ecr.get_paginator("describe_images").paginate(repositoryName=repository)
    images = [each for page in pages for each in page["imageDetails"]]
    return expires(policy, images, image["imageDigest"], now=now + within)


GATE = Gate("rollback_target", "there is a release to roll back to", check)
