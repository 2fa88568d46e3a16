"""The ECR API's operations on layers, which Docker clients use through `/v2` instead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from samjhadoo_emulator.ecr.base import RegistryService
from samjhadoo_emulator.ecr.blobs import is_digest
from samjhadoo_emulator.ecr.manifests import DOCKER_MANIFEST
from samjhadoo_emulator.errors import AwsError, invalid_parameter
from samjhadoo_emulator.service import operation

if TYPE_CHECKING:
    from samjhadoo_emulator.ecr.model import Repository
    from samjhadoo_emulator.service import Params, Result

PART = 20 * 1024 * 1024
"""Bytes that ECR asks clients to send in a part."""
SMALLEST_PART = 5 * 1024 * 1024
"""Bytes that every part but the last must have."""
LAYER = DOCKER_MANIFEST.replace("distribution.manifest.v2+json", "image.rootfs.diff.tar.gzip")


class LayerOperations(RegistryService):
    """Operations on layers."""

    @operation("BatchCheckLayerAvailability")
    async def batch_check_layer_availability(self, params: Params) -> Result:
        repository = self.repository(params)
        layers, failures = [], []
        for digest in params["layerDigests"]:
            if not is_digest(digest):
                reason = f"Invalid layer digest: {digest}"
                failures.append(
                    {"layerDigest": digest, "failureCode": "InvalidLayerDigest", "failureReason": reason}
                )
            elif digest not in repository.blobs:
                layers.append({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})
            else:
                layers.append(self._layer(repository, digest))
        return {"layers": layers, "failures": failures}

    @operation("InitiateLayerUpload")
    async def initiate_layer_upload(self, params: Params) -> Result:
        upload = self.registry.start_upload(self.repository(params))
        return {"uploadId": upload.id, "partSize": PART}

    @operation("UploadLayerPart")
    async def upload_layer_part(self, params: Params) -> Result:
        repository = self.repository(params)
        upload = self.registry.upload(repository, params["uploadId"])
        blob, first, last = params["layerPartBlob"], params["partFirstByte"], params["partLastByte"]
        async with upload.lock:
            if first != upload.size or last - first + 1 != len(blob):
                raise AwsError(
                    "InvalidLayerPartException",
                    f"Invalid layer part upload for upload with id '{upload.id}' in the repository with name "
                    f"'{repository.name}' in the registry with id '{self.account}'",
                    **self.named(repository, uploadId=upload.id, lastValidByteReceived=upload.size - 1),
                )
            await asyncio.to_thread(upload.append, blob)
            upload.parts.append(len(blob))
        return self.named(repository, uploadId=upload.id, lastByteReceived=upload.size - 1)

    @operation("CompleteLayerUpload")
    async def complete_layer_upload(self, params: Params) -> Result:
        repository = self.repository(params)
        upload = self.registry.upload(repository, params["uploadId"])
        digest = params["layerDigests"][0]
        if not is_digest(digest):
            raise invalid_parameter(f"Invalid parameter at 'layerDigests': {digest}")
        if not upload.size:
            raise AwsError("EmptyUploadException", f"Upload with id '{upload.id}' contains no layer parts")
        if any(size < SMALLEST_PART for size in upload.parts[:-1]):
            raise AwsError(
                "LayerPartTooSmallException", f"Layer parts must be at least {SMALLEST_PART} bytes in size"
            )
        if digest in repository.blobs:
            self.registry.cancel_upload(repository, upload)
            raise AwsError(
                "LayerAlreadyExistsException",
                f"Layer with digest '{digest}' already exists in the repository with name "
                f"'{repository.name}' in the registry with id '{self.account}'",
            )
        async with upload.lock:
            await self.registry.complete_upload(repository, upload, digest)
        return self.named(repository, uploadId=upload.id, layerDigest=digest)

    @operation("GetDownloadUrlForLayer")
    async def get_download_url_for_layer(self, params: Params) -> Result:
        """Return where a layer can be downloaded without a signature."""
        repository, digest = self.repository(params), params["layerDigest"]
        if digest not in repository.blobs:
            raise AwsError(
                "LayersNotFoundException",
                f"The layer with digest '{digest}' does not exist within the repository with name "
                f"'{repository.name}' in the registry with id '{self.account}'",
            )
        url = f"{self.host.edge_url}/v2/{repository.name}/blobs/{digest}"
        return {"downloadUrl": url, "layerDigest": digest}

    def _layer(self, repository: Repository, digest: str) -> dict[str, Any]:
        media_types = (image.manifest.layers.get(digest) for image in repository.images.values())
        return {
            "layerDigest": digest,
            "layerAvailability": "AVAILABLE",
            "layerSize": self.registry.blobs.size(digest),
            "mediaType": next(filter(None, media_types), LAYER),
        }
