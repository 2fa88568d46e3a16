"""The ECR API's operations on images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecr.blobs import is_digest
from samjhadoo_emulator.ecr.manifests import INDEXES, ManifestInvalid, has_media_type
from samjhadoo_emulator.ecr.scanning import ScanOperations
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.pagination import ECR
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.ecr.model import Image, Repository
    from samjhadoo_emulator.service import Params, Result

ImageId = dict[str, str]


class ImageOperations(ScanOperations):
    """Operations on images."""

    @operation("DescribeImages")
    async def describe_images(self, params: Params) -> Result:
        """Describe the named images, or all."""
        repository = self.repository(params)
        if "imageIds" in params:
            found = [self._image(repository, image_id) for image_id in params["imageIds"]]
            unique = {image.digest: image for image in found}
            return {"imageDetails": [self._detail(repository, image) for image in unique.values()]}
        images = [image for image in repository.images.values() if _wanted(repository, image, params)]
        shown, more = ECR.page(images, params)
        return {"imageDetails": [self._detail(repository, image) for image in shown], **more}

    @operation("ListImages")
    async def list_images(self, params: Params) -> Result:
        """List image ids: one for each tag, and one for each untagged image."""
        repository = self.repository(params)
        ids: list[ImageId] = []
        for image in repository.images.values():
            if _wanted(repository, image, params):
                tags = repository.tags_of(image.digest)
                ids += [{"imageDigest": image.digest, "imageTag": tag} for tag in tags] or [
                    {"imageDigest": image.digest}
                ]
        return ECR.answer("imageIds", ids, params)

    @operation("ListImageReferrers")
    async def list_image_referrers(self, params: Params) -> Result:
        repository = self.repository(params)
        types = params.get("filter", {}).get("artifactTypes")
        found = [
            image
            for image in repository.referrers(params["subjectId"]["imageDigest"])
            if not types or image.manifest.artifact_type in types
        ]
        shown, more = ECR.page(found, params)
        return {"referrers": [_referrer(image) for image in shown], **more}

    @operation("BatchGetImage")
    async def batch_get_image(self, params: Params) -> Result:
        repository = self.repository(params)
        images, failures = [], []
        for image_id in params["imageIds"]:
            failure = _problem(repository, image_id)
            if failure:
                failures.append(failure)
                continue
            image = self._image(repository, image_id)
            self.registry.pulled(image)
            images.append(self._with_manifest(repository, image, image_id.get("imageTag")))
        return {"images": images, "failures": failures}

    @operation("PutImage")
    async def put_image(self, params: Params) -> Result:
        """Store a manifest whose layers are there, and tag it."""
        repository = self.repository(params)
        content, tag = params["imageManifest"].encode(), params.get("imageTag", "")
        if not params.get("imageManifestMediaType") and not has_media_type(content):
            raise invalid_parameter("image manifest mediatype not provided in manifest or parameter")
        before = dict(repository.tags), len(repository.images)
        try:
            image = self.registry.put_image(
                repository,
                content,
                media_type=params.get("imageManifestMediaType", ""),
                tag=tag,
                digest=params.get("imageDigest", ""),
            )
        except ManifestInvalid as error:
            raise invalid_parameter(
                f"Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{error}'",
            ) from error
        if before == (repository.tags, len(repository.images)):
            raise AwsError(
                "ImageAlreadyExistsException",
                f"Image with digest '{image.digest}' and tag '{tag or 'null'}' already exists in "
                f"the repository with name '{repository.name}' in registry with id '{self.account}'",
            )
        return {"image": self._with_manifest(repository, image, tag)}

    @operation("BatchDeleteImage")
    async def batch_delete_image(self, params: Params) -> Result:
        """Delete images by digest; by tag, remove the tag, and the image with its last tag."""
        repository = self.repository(params)
        deleted: list[ImageId] = []
        failures: list[dict[str, Any]] = []
        for image_id in params["imageIds"]:
            failure = _problem(repository, image_id) or _listed(repository, image_id)
            if failure:
                failures.append(failure)
            else:
                deleted += self._delete(repository, image_id)
        return {"imageIds": deleted, "failures": failures}

    def _delete(self, repository: Repository, image_id: ImageId) -> list[ImageId]:
        image, tag = self._image(repository, image_id), image_id.get("imageTag")
        tags = repository.tags_of(image.digest)
        if tag and len(tags) > 1:
            del repository.tags[tag]
            return [{"imageDigest": image.digest, "imageTag": tag}]
        self.registry.delete_image(repository, image.digest)
        return [{"imageDigest": image.digest, "imageTag": each} for each in tags] or [
            {"imageDigest": image.digest}
        ]

    def _image(self, repository: Repository, image_id: ImageId) -> Image:
        return self.registry.image(
            repository, digest=image_id.get("imageDigest"), tag=image_id.get("imageTag")
        )

    def _with_manifest(self, repository: Repository, image: Image, tag: str | None) -> dict[str, Any]:
        return self.named(
            repository,
            imageId={"imageDigest": image.digest, **({"imageTag": tag} if tag else {})},
            imageManifest=image.content.decode(),
            imageManifestMediaType=image.manifest.media_type,
        )

    def _detail(self, repository: Repository, image: Image) -> dict[str, Any]:
        manifest, tags = image.manifest, repository.tags_of(image.digest)
        return self.named(
            repository,
            imageDigest=image.digest,
            imagePushedAt=image.pushed_at,
            imageManifestMediaType=manifest.media_type,
            imageStatus="ACTIVE",
            **({"imageTags": tags} if tags else {}),
            **({} if manifest.media_type in INDEXES else {"imageSizeInBytes": manifest.size}),
            **({"artifactMediaType": manifest.artifact_type} if manifest.artifact_type else {}),
            **({"subjectManifestDigest": manifest.subject} if manifest.subject else {}),
            **({"lastRecordedPullTime": image.pulled_at} if image.pulled_at else {}),
            **self._scan(repository, image),
        )

    def _scan(self, repository: Repository, image: Image) -> dict[str, Any]:
        if image.scanned_at is None:
            return {}
        status = self.scan_status(image)
        if status["status"] != "COMPLETE":
            return {"imageScanStatus": status}
        return {"imageScanStatus": status, "imageScanFindingsSummary": self.summary(repository, image)}


def _referrer(image: Image) -> dict[str, Any]:
    manifest = image.manifest
    referrer = {
        "digest": image.digest,
        "mediaType": manifest.media_type,
        "size": len(image.content),
        "annotations": manifest.annotations,
        "artifactStatus": "ACTIVE",
    }
    return {**referrer, **({"artifactType": manifest.artifact_type} if manifest.artifact_type else {})}


def _wanted(repository: Repository, image: Image, params: Params) -> bool:
    status: str = params.get("filter", {}).get("tagStatus", "ANY")
    return status == "ANY" or bool(repository.tags_of(image.digest)) == (status == "TAGGED")


def _problem(repository: Repository, image_id: ImageId) -> dict[str, Any] | None:
    """Return why an image id names no image, as a batch operation reports it."""
    digest, tag = image_id.get("imageDigest"), image_id.get("imageTag")
    if not digest and not tag:
        reason = "Invalid request parameters: both tag and digest cannot be null"
        return {"imageId": image_id, "failureCode": "MissingDigestAndTag", "failureReason": reason}
    if digest and not is_digest(digest):
        reason = f"Invalid request parameters: {digest} is not an image digest"
        return {"imageId": image_id, "failureCode": "InvalidImageDigest", "failureReason": reason}
    image = repository.find(tag or digest or "")
    if image is None:
        return {
            "imageId": image_id,
            "failureCode": "ImageNotFound",
            "failureReason": "Requested image not found",
        }
    if digest and image.digest != digest:
        reason = f"Tag {tag} does not match digest {digest}"
        return {"imageId": image_id, "failureCode": "ImageTagDoesNotMatchDigest", "failureReason": reason}
    return None


def _listed(repository: Repository, image_id: ImageId) -> dict[str, Any] | None:
    digest = image_id.get("imageDigest")
    listing = repository.listing(digest) if digest and not image_id.get("imageTag") else []
    if not listing:
        return None
    reason = f"Requested image referenced by manifest list: [{', '.join(listing)}]"
    return {"imageId": image_id, "failureCode": "ImageReferencedByManifestList", "failureReason": reason}
