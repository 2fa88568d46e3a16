"""The daemonless builder: builds an OCI image from a Dockerfile that runs no commands.

If FROM names an image in the target registry, its layers are taken from there. Any other base image is an
error, unless the environment says that the host provides it (`build.base`): then only its name is recorded,
the image holds just the application's own layers, and the machine that runs it provides the rest (on the
local stack, the interpreter).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import dockerfile, layers, recipe
from samjhadoo_ops.release.platform import resolve_platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from samjhadoo_ops.release.context import BuildContext
    from samjhadoo_ops.release.platform import Platform
    from samjhadoo_ops.release.registry import RemoteRegistry

EPOCH = "1970-01-01T00:00:00Z"
ANNOTATION = "org.opencontainers.image."


@dataclass
class Base:
    """The base of an image: nothing, or another image's configuration and layers."""

    digest: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    layers: list[dict[str, Any]] = field(default_factory=list)


def build_layout(
    context: BuildContext,
    folder: Path,
    *,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    platform: str = "native",
    registry: RemoteRegistry | None = None,
    base_required: bool = False,
    name: str = "Dockerfile",
) -> str:
    """Build an image into an OCI layout and return its digest; the same input gives the same digest.

    Args:
        folder: Where to write the layout.
        labels: Labels and annotations in addition to the Dockerfile's own.
        platform: For example `linux/amd64`, or `native` for this machine's.
        registry: Where to look for base images.
        base_required: Whether to refuse a base image that the registry does not have.
        name: The Dockerfile's name in errors.

    Raises:
        ConfigurationError: The Dockerfile is missing or wrong, or needs a Docker engine.
    """
    instructions = dockerfile.read(context.dockerfile, name=name)
    target = resolve_platform(platform)
    origin = recipe.base_of(instructions, arguments, name=name, platform=platform)
    held = registry is not None and registry.holds(origin)
    if base_required and not held and origin != "scratch":
        raise ConfigurationError(
            f"{name}: the base image {origin} is not in the target registry",
            hint='push it to that registry and name it in FROM, or set build.builder = "docker"',
        )
    with building(folder) as image:
        base = Base()
        if registry is not None and held:
            base = _pull(registry, origin, image, target)
        wanted = recipe.read(
            instructions, arguments, name=name, inherited=base.config.get("config"), platform=platform
        )
        known = layers.Folders(
            () if held or origin == "scratch" else layers.USUAL,
            [image.blob(part["digest"]) for part in base.layers],
        )
        own = _layers(wanted, context, image, known, name)
        config = _config(wanted, base, own, labels)
        config |= target.description()
        return _finish(image, config, [*base.layers, *own], _annotations(wanted, base, labels))


def _layers(
    wanted: recipe.Recipe, context: BuildContext, image: Layout, known: layers.Folders, name: str
) -> list[layers.Layer]:
    """Write one layer for each COPY, including the folders that WORKDIR created before it."""
    made: list[layers.Layer] = []
    waiting: list[layers.LayerEntry] = []
    for step in wanted.steps:
        if isinstance(step, str):
            waiting += layers.folder(step)
            known.add([layers.LayerEntry(step.strip("/"), 0o755)])
            continue
        entries = layers.copied(step, context, known, name=name)
        known.add(entries)
        present = {entry.path for entry in entries}
        made.append(
            layers.write([entry for entry in waiting if entry.path not in present] + entries, image.blobs)
        )
        waiting = []
    if waiting:
        made.append(layers.write(waiting, image.blobs))
    return made


def _config(
    wanted: recipe.Recipe, base: Base, own: list[layers.Layer], labels: Mapping[str, str]
) -> dict[str, Any]:
    settings = dict(wanted.config)
    settings["Labels"] = {**settings.get("Labels", {}), **labels}
    inherited = base.config.get("rootfs", {}).get("diff_ids", [])
    return {
        "created": EPOCH,
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [*inherited, *(layer.diff_id for layer in own)]},
        "history": [
            *base.config.get("history", []),
            *({"created": EPOCH, "created_by": "samjhadoo-ops build"} for _ in own),
        ],
    }


def _annotations(wanted: recipe.Recipe, base: Base, labels: Mapping[str, str]) -> dict[str, str]:
    origin = {} if wanted.base == "scratch" else {f"{ANNOTATION}base.name": wanted.base}
    if base.digest:
        origin[f"{ANNOTATION}base.digest"] = base.digest
    return {**labels, **origin}


def _finish(
    image: Layout,
    config: dict[str, Any],
    parts: list[dict[str, Any] | layers.Layer],
    annotations: dict[str, str],
) -> str:
    digest, size = image.put_json(config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest, "size": size},
        "layers": [part.descriptor() if isinstance(part, layers.Layer) else part for part in parts],
        "annotations": annotations,
    }
    digest, size = image.put_json(manifest)
    image.seal({"mediaType": MANIFEST_TYPE, "digest": digest, "size": size})
    return digest


def _pull(registry: RemoteRegistry, origin: str, image: Layout, target: Platform) -> Base:
    """Fetch a base image's configuration and layers from the registry."""
    repository, digest, manifest = registry.image(origin, target)
    for part in (manifest["config"], *manifest["layers"]):
        repository.pull_blob(part["digest"], image.blob(part["digest"]))
    config = json.loads(image.blob(manifest["config"]["digest"]).read_bytes())
    image.blob(manifest["config"]["digest"]).unlink()
    return Base(digest, config, [_as_oci(layer) for layer in manifest["layers"]])


def _as_oci(layer: dict[str, Any]) -> dict[str, Any]:
    docker = layer["mediaType"] == "application/vnd.docker.image.rootfs.diff.tar.gzip"
    media_type = layers.LAYER_TYPE if docker else layer["mediaType"]
    return {"mediaType": media_type, "digest": layer["digest"], "size": layer["size"]}


INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
KEPT = 5
"""How many builds are kept on disk."""


@dataclass(frozen=True)
class Layout:
    """An image layout with one manifest."""

    root: Path

    @property
    def blobs(self) -> Path:
        """The folder with the blobs."""
        return self.root / "blobs" / "sha256"

    def blob(self, digest: str) -> Path:
        """Return a blob's file."""
        return self.blobs / digest.partition(":")[2]

    def put_json(self, document: Any) -> tuple[str, int]:
        """Store a document in a reproducible form; return its digest and size."""
        content = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        name = hashlib.sha256(content).hexdigest()
        (self.blobs / name).write_bytes(content)
        return f"sha256:{name}", len(content)

    def descriptor(self) -> dict[str, Any]:
        """Return the descriptor of the image's manifest."""
        manifests: list[dict[str, Any]] = json.loads((self.root / "index.json").read_bytes())["manifests"]
        return manifests[0]

    def manifest(self) -> tuple[bytes, dict[str, Any]]:
        """Return the manifest, as bytes and parsed."""
        content = self.blob(self.descriptor()["digest"]).read_bytes()
        return content, json.loads(content)

    def seal(self, descriptor: dict[str, Any]) -> None:
        """Write the index, which names the layout's manifest."""
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [descriptor]}
        (self.root / "index.json").write_text(json.dumps(index, sort_keys=True))
        (self.root / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')


@contextlib.contextmanager
def building(folder: Path) -> Iterator[Layout]:
    """Yield a layout to fill; it becomes `folder` if the block succeeds, and is removed otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    layout = Layout(folder.parent / f".{uuid.uuid4().hex}")
    layout.blobs.mkdir(parents=True)
    try:
        yield layout
        _replace(layout.root, folder)
    finally:
        shutil.rmtree(layout.root, ignore_errors=True)
    prune(folder.parent)


def prune(folder: Path, *, keep: int = KEPT) -> None:
    """Remove all builds except the newest ones."""
    builds = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    for old in sorted(builds, key=lambda path: path.stat().st_mtime, reverse=True)[keep:]:
        shutil.rmtree(old, ignore_errors=True)


def _replace(new: Path, folder: Path) -> None:
    """Replace a folder with another; of two simultaneous builds of one version, the later wins."""
    while True:
        try:
            new.rename(folder)
        except OSError:
            if not folder.exists():
                raise
            aside = folder.parent / f".{uuid.uuid4().hex}"
            with contextlib.suppress(FileNotFoundError):
                folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            return
