"""The registry of a region: repositories, images and tags, shared by the ECR API and `/v2`.

Every refusal is an `AwsError` in ECR's words; the distribution API turns its code into OCI's.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecr import manifests
from samjhadoo_emulator.ecr.blobs import BlobStore, DigestMismatch, Upload, digest_of, is_digest
from samjhadoo_emulator.ecr.model import Image, Repository
from samjhadoo_emulator.errors import AwsError, invalid_parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

NAME = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
MAX_NAME = 256


class Registry:
    """The repositories of an account in a region, and the blobs they share."""

    def __init__(self, account: str, root: Path, now: Callable[[], datetime]) -> None:
        self.account = account
        self.repositories: dict[str, Repository] = {}
        self.blobs = BlobStore(root)
        self._now = now

    def create(self, name: str, **settings: Any) -> Repository:
        if not NAME.fullmatch(name) or len(name) > MAX_NAME:
            raise invalid_parameter(
                "Invalid parameter at 'repositoryName' failed to satisfy constraint: "
                f"'must satisfy regular expression '{NAME.pattern}''",
            )
        if name in self.repositories:
            raise AwsError(
                "RepositoryAlreadyExistsException",
                f"The repository with name '{name}' already exists {self._here}",
            )
        self.repositories[name] = Repository(name, self._now(), **settings)
        return self.repositories[name]

    def repository(self, name: str) -> Repository:
        try:
            return self.repositories[name]
        except KeyError:
            raise AwsError(
                "RepositoryNotFoundException",
                f"The repository with name '{name}' does not exist {self._here}",
            ) from None

    def delete(self, name: str, *, force: bool) -> Repository:
        """Delete a repository.

        Raises:
            AwsError: There is none, or it holds images and `force` is not set.
        """
        repository = self.repository(name)
        if repository.images and not force:
            raise AwsError(
                "RepositoryNotEmptyException",
                f"The repository with name '{name}' in registry with id '{self.account}' "
                "cannot be deleted because it still contains images",
            )
        del self.repositories[name]
        for upload in repository.uploads.values():
            upload.cancel()
        for digest in repository.blobs:
            self._sweep(digest)
        return repository

    def image(self, repository: Repository, *, digest: str | None = None, tag: str | None = None) -> Image:
        """Return the image with a digest, a tag, or both."""
        image = repository.find(tag or digest or "")
        if image is None or (digest and image.digest != digest):
            raise AwsError(
                "ImageNotFoundException",
                f"The image with imageId {{imageDigest:'{digest or 'null'}', imageTag:'{tag or 'null'}'}} "
                f"does not exist within the repository with name '{repository.name}' {self._here}",
            )
        return image

    def put_image(
        self, repository: Repository, content: bytes, *, media_type: str = "", tag: str = "", digest: str = ""
    ) -> Image:
        """Store a manifest, and tag it. Pushing what is there already changes nothing.

        Raises:
            AwsError: It has another digest, refers to blobs or manifests that are missing, or the tag
                is immutable and taken.
        """
        actual = digest_of(content, digest.partition(":")[0] if is_digest(digest) else "sha256")
        if digest and digest != actual:
            raise AwsError(
                "ImageDigestDoesNotMatchException",
                f"The image digest '{digest}' does not match the digest '{actual}' of the image manifest",
            )
        manifest = manifests.read(content, media_type)
        self._require_parts(repository, manifest)
        if tag:
            self._require_free(repository, tag, actual)
        if actual not in repository.images:
            image = Image(actual, content, manifest, self._now())
            if repository.scan_on_push and manifest.media_type in manifests.IMAGES:
                image.scanned_at = image.pushed_at
            repository.images[actual] = image
        if tag:
            repository.tags[tag] = actual
        return repository.images[actual]

    def delete_image(self, repository: Repository, digest: str) -> None:
        """Delete an image with all its tags. Its blobs go when no image of the repository needs them."""
        image = repository.images.pop(digest)
        for tag in repository.tags_of(digest):
            del repository.tags[tag]
        needed = {blob for other in repository.images.values() for blob in other.manifest.blobs}
        for blob in set(image.manifest.blobs) - needed:
            self.unlink(repository, blob)

    def pulled(self, image: Image) -> None:
        """Note that an image was pulled."""
        image.pulled_at = self._now()

    def start_upload(self, repository: Repository) -> Upload:
        """Begin the upload of a blob."""
        upload = self.blobs.start()
        repository.uploads[upload.id] = upload
        return upload

    def upload(self, repository: Repository, upload_id: str) -> Upload:
        """Return an upload that is under way."""
        try:
            return repository.uploads[upload_id]
        except KeyError:
            raise AwsError(
                "UploadNotFoundException",
                f"Upload with id '{upload_id}' could not be found for the repository with name "
                f"'{repository.name}' {self._here}",
            ) from None

    async def complete_upload(self, repository: Repository, upload: Upload, digest: str) -> int:
        """Turn an upload into a blob of the repository; return its size.

        Raises:
            AwsError: The content has another digest; the upload is over.
        """
        repository.uploads.pop(upload.id, None)
        try:
            size = await asyncio.to_thread(self.blobs.accept, upload, digest)
        except DigestMismatch as error:
            raise AwsError(
                "InvalidLayerException",
                f"Layer digest '{digest}' does not match the uploaded content '{error.actual}'",
            ) from error
        repository.blobs.add(digest)
        return size

    def cancel_upload(self, repository: Repository, upload: Upload) -> None:
        """End an upload and forget its bytes."""
        repository.uploads.pop(upload.id, None)
        upload.cancel()

    def mount(self, repository: Repository, digest: str, *, source: str) -> bool:
        """Make a blob of another repository one of this repository, too; return whether that was possible."""
        origin = self.repositories.get(source)
        if origin is None or digest not in origin.blobs:
            return False
        repository.blobs.add(digest)
        return True

    def unlink(self, repository: Repository, digest: str) -> None:
        """Remove a blob from a repository; its file goes when no repository has it."""
        repository.blobs.discard(digest)
        self._sweep(digest)

    def _sweep(self, digest: str) -> None:
        if not any(digest in repository.blobs for repository in self.repositories.values()):
            self.blobs.remove(digest)

    def _require_parts(self, repository: Repository, manifest: manifests.Manifest) -> None:
        for code, subject, wanted, present in (
            ("LayersNotFoundException", "Layers", manifest.blobs, repository.blobs),
            ("ReferencedImagesNotFoundException", "Images", manifest.children, repository.images),
        ):
            missing = [digest for digest in wanted if digest not in present]
            if missing:
                raise AwsError(
                    code,
                    f"{subject} with digests '[{', '.join(missing)}]' required for pushing image into "
                    f"repository with name '{repository.name}' {self._here} do not exist",
                    digests=missing,
                )

    def _require_free(self, repository: Repository, tag: str, digest: str) -> None:
        if not TAG.fullmatch(tag):
            raise invalid_parameter(
                "Invalid parameter at 'imageTag' failed to satisfy constraint: "
                f"'must satisfy regular expression '{TAG.pattern}''",
            )
        if repository.tags.get(tag, digest) != digest and repository.is_immutable(tag):
            raise AwsError(
                "ImageTagAlreadyExistsException",
                f"The image tag '{tag}' already exists in the '{repository.name}' repository "
                "and cannot be overwritten because the tag is immutable.",
            )

    @property
    def _here(self) -> str:
        return f"in the registry with id '{self.account}'"
