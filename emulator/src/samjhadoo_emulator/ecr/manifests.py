"""The contents of a manifest: pure functions of its bytes.

The formats are OCI's image manifest and index and Docker's schema 2 manifest and list.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from samjhadoo_emulator.ecr.blobs import is_digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
MAX_SIZE = 4 * 1024 * 1024
"""Bytes; the least that the distribution specification lets a registry accept."""

LARGEST = 1 << 62
"""The largest size that a descriptor can state: sizes are 64-bit numbers."""


class ManifestInvalid(Exception):
    """The bytes are not a manifest of the media type they claim."""


@dataclass(frozen=True)
class Manifest:
    """What the registry needs to know of a manifest.

    Attributes:
        blobs: Digests of the config and layers that must be in the repository.
        layers: Media type of each blob, by digest.
        children: Digests of the manifests that an index lists.
        size: Bytes of config and layers, which is what ECR reports as an image's size.
        subject: Digest of the manifest that this one refers to; empty when there is none.
        artifact_type: As the referrers API reports it.
        annotations: The manifest's own.
    """

    media_type: str
    blobs: tuple[str, ...] = ()
    layers: dict[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()
    size: int = 0
    subject: str = ""
    artifact_type: str = ""
    annotations: dict[str, str] = field(default_factory=dict)


def read(content: bytes, media_type: str = "") -> Manifest:
    """Return the contents of a manifest; `media_type` is the content type it was sent with."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(f"the manifest is not JSON: {error}") from error
    if not isinstance(document, dict) or document.get("schemaVersion") != 2:  # noqa: PLR2004
        raise ManifestInvalid("the manifest's schemaVersion is not 2")
    stated = str(document.get("mediaType") or "")
    media_type = media_type.partition(";")[0].strip() or stated or _guess(document)
    if stated and stated != media_type:
        raise ManifestInvalid(f"the manifest's mediaType is {stated}, its content type {media_type}")
    if media_type in INDEXES:
        return _index(document, media_type)
    if media_type in IMAGES:
        return _image(document, media_type)
    raise ManifestInvalid(f"manifests of media type {media_type or 'unknown'} are not supported")


def has_media_type(content: bytes) -> bool:
    """Return whether a manifest states its own media type; what is no manifest is refused elsewhere."""
    try:
        return bool(json.loads(content).get("mediaType"))
    except (ValueError, RecursionError, AttributeError):
        return True


def _guess(document: dict[str, Any]) -> str:
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST


def _image(document: dict[str, Any], media_type: str) -> Manifest:
    config = _descriptor(document.get("config"), "config")
    layers = [_descriptor(layer, f"layers[{i}]") for i, layer in enumerate(_list(document, "layers"))]
    # Layers of other hosts ("non-distributable") are not pushed to the registry.
    stored = [config, *(layer for layer in layers if not layer.get("urls"))]
    return Manifest(
        media_type,
        blobs=tuple(dict.fromkeys(blob["digest"] for blob in stored)),
        layers={blob["digest"]: blob["mediaType"] for blob in (config, *layers)},
        size=sum(blob["size"] for blob in (config, *layers)),
        artifact_type=str(document.get("artifactType") or config["mediaType"]),
        **_shared(document),
    )


def _index(document: dict[str, Any], media_type: str) -> Manifest:
    children = [_descriptor(child, f"manifests[{i}]") for i, child in enumerate(_list(document, "manifests"))]
    return Manifest(
        media_type,
        children=tuple(dict.fromkeys(child["digest"] for child in children)),
        artifact_type=str(document.get("artifactType") or ""),
        **_shared(document),
    )


def _shared(document: dict[str, Any]) -> dict[str, Any]:
    subject = document.get("subject")
    annotations = document.get("annotations") or {}
    if not isinstance(annotations, dict) or not all(isinstance(value, str) for value in annotations.values()):
        raise ManifestInvalid("the manifest's annotations are not strings by name")
    return {
        "subject": _descriptor(subject, "subject")["digest"] if subject is not None else "",
        "annotations": annotations,
    }


def _list(document: dict[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ManifestInvalid(f"the manifest's {key} is not a list")
    return value


def _descriptor(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not is_digest(str(value.get("digest"))):
        raise ManifestInvalid(f"the manifest's {where} has no valid digest")
    size = value.get("size")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= LARGEST:
        raise ManifestInvalid(f"the manifest's {where} has no valid size")
    return {**value, "mediaType": str(value.get("mediaType") or "")}
