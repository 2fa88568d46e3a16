"""Deploy an existing image, named by tag or digest; it is copied unchanged if another registry holds it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.environment.value_types import ImageReference
from samjhadoo_ops.errors import ConfigurationError, Refused
from samjhadoo_ops.release import ecr
from samjhadoo_ops.release.image import BuiltImage, PushedImage
from samjhadoo_ops.release.registry import RegistryRefused, RemoteRepository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

VERSION_LABEL = "org.opencontainers.image.version"
_DIGEST = "sha256:"
_SHORT = 12


def existing(env: Environment, aws: Aws, image: str) -> BuiltImage:
    """Return an existing image; nothing is changed.

    Args:
        image: `TAG` or `sha256:…` in the environment's own repository, or `HOST/REPOSITORY:TAG` or
            `HOST/REPOSITORY@sha256:…` in any repository that the environment's credentials may pull from.

    Raises:
        ConfigurationError: The name is not valid, or the environment's repository does not exist.
        Refused: There is no such image, or the environment's repository has another image with its tag.
        RegistryRefused: The registry refused the request.
    """
    uri = ecr.repository_uri(aws, env.build.repository)
    own = ImageReference(uri.removesuffix(f"/{env.build.repository}"), env.build.repository)
    named = _named(image, own)
    foreign = (named.host, named.repository) != (own.host, own.repository)
    remote = _repository(named, aws)
    try:
        with remote.session() as session:
            digest = remote.digest(session, named.version)
            version = _version(remote, session, digest, named.version) if digest else ""
    except RegistryRefused as refusal:
        raise RegistryRefused(refusal.message, hint=_pull_hint(env, remote) if foreign else "") from refusal
    if not digest:
        raise Refused(
            f"{remote.uri} has no image {named.version}: nothing was deployed",
            hint=f"invoke push {env.options} builds and pushes the current source",
        )
    held = ecr.find_digest(aws, env.build.repository, version) if foreign else digest
    if held not in {None, digest}:
        raise Refused(
            f"{uri} already has another image as release {version}: {held}, not {digest} of {remote.uri}",
            hint="give the image another version, or remove that tag",
        )
    source = ImageReference(named.host, named.repository, digest) if held is None else None
    return BuiltImage(version, version, uri, digest, reused=source is None, source=source)


def copy(env: Environment, aws: Aws, built: BuiltImage) -> PushedImage:
    """Copy an image, byte for byte, from another registry; raise `RegistryRefused` if one refuses."""
    if built.source is None:
        raise ValueError("the image does not have to be copied")
    remote = _repository(built.source, aws)
    target = _repository(ImageReference(built.registry_host, env.build.repository), aws)
    manifests = list(_manifests(remote, built.digest))
    sent = 0
    with target.session() as session, tempfile.TemporaryDirectory() as folder:
        for digest, content, manifest in manifests:
            for part in (*manifest.get("layers", ()), *filter(None, [manifest.get("config")])):
                if not target.has(session, part["digest"]):
                    file = Path(folder) / "blob"
                    remote.pull_blob(part["digest"], file)
                    target.push_blob(session, file, part["digest"])
                    sent += int(part["size"])
            name = built.tag if digest == built.digest else digest
            made = target.push_manifest(session, content, name)
            if made != digest:
                raise RegistryRefused(
                    f"{digest} of {remote.uri} got the digest {made} in {target.uri}",
                    changed=f"an image was copied to {target.uri}",
                )
    return PushedImage(built.repository_uri, built.tag, built.digest, sent)


def _named(image: str, own: ImageReference) -> ImageReference:
    """Return the reference that a name stands for."""
    name, at, digest = image.partition("@")
    if "/" in name:
        parsed = ImageReference.parse(name)
        tagged = ":" in name.rpartition("/")[2]
        version = digest or (parsed.version if tagged else "")
    else:
        parsed, version = own, image
    if not version or (at and not digest.startswith(_DIGEST)):
        raise ConfigurationError(
            f"--image {image}: expected TAG, {_DIGEST}…, HOST/REPOSITORY:TAG or HOST/REPOSITORY@{_DIGEST}…"
        )
    return ImageReference(parsed.host, parsed.repository, version)


def _repository(reference: ImageReference, aws: Aws) -> RemoteRepository:
    """Return a repository with the environment's login, which ECR accepts wherever policies allow it."""
    return RemoteRepository(
        reference.host, reference.repository, functools.cache(functools.partial(ecr.password, aws))
    )


def _version(remote: RemoteRepository, session: Any, digest: str, named: str) -> str:
    """Return the release's version: from the image's label, otherwise its tag or digest."""
    _, manifest = remote.manifest(session, digest)
    children = [each for each in manifest.get("manifests", ()) if _is_image(each)]
    if children:
        _, manifest = remote.manifest(session, children[0]["digest"])
    labels: dict[str, str] = {}
    if "config" in manifest:
        labels = remote.document(session, manifest["config"]["digest"]).get("config", {}).get("Labels") or {}
    fallback = named if not named.startswith(_DIGEST) else digest.replace(":", "-")[: len(_DIGEST) + _SHORT]
    return str(labels.get(VERSION_LABEL) or fallback)


def _is_image(child: dict[str, Any]) -> bool:
    """Return whether an entry of an index is an image and not one of BuildKit's attestations."""
    return (child.get("platform") or {}).get("os") != "unknown"


def _manifests(remote: RemoteRepository, digest: str) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield a manifest after the manifests that it lists."""
    with remote.session() as session:
        content, manifest = remote.content(session, digest)
    for child in manifest.get("manifests", ()):
        yield from _manifests(remote, child["digest"])
    yield digest, content, manifest


def _pull_hint(env: Environment, remote: RemoteRepository) -> str:
    return (
        f"allow account {env.aws.account} to pull from {remote.uri}: a repository policy with "
        "ecr:BatchGetImage and ecr:GetDownloadUrlForLayer (docs/ci.md)"
    )
