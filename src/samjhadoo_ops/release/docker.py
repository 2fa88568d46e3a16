"""Docker command lines as data: build, push, inspect, tag and remove images; and tidying up with them."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.release.engine import Engine

_PUSHED = re.compile(r"^\S+: digest: (sha256:[0-9a-f]{64}) size: \d+", re.MULTILINE)
KEPT = "samjhadoo-ops.local"
"""Prefix of the name under which the last image for a local stack is kept for its layers."""

PATIENCE = 10.0
"""Real seconds that a deploy waits for the engine to remove an image; a busy engine may take minutes."""


@dataclass(frozen=True)
class ImageBuild:
    """A request to build an image.

    Attributes:
        tag: The image's name in the engine.
        labels: Labels in addition to the Dockerfile's own.
        platform: For example `linux/amd64`, or `native` for the engine's.
        cache_from: Where to read the build cache, in buildx's syntax (`type=registry,ref=…`).
        cache_to: Where to write it.
        epoch: Unix timestamp for the image; None means now.
    """

    tag: str
    context: Path
    dockerfile: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platform: str = "native"
    cache_from: Sequence[str] = ()
    cache_to: Sequence[str] = ()
    epoch: int | None = None


def build(wanted: ImageBuild, engine: Engine) -> list[str]:
    """Return the command that builds an image with the available builder and stores it in the engine."""
    common = ["--file", str(wanted.dockerfile), "--tag", wanted.tag]
    for flag, values in (("--build-arg", wanted.arguments), ("--label", wanted.labels)):
        for key, value in values.items():
            common += [flag, f"{key}={value}"]
    if engine.kind == "classic":
        # By default it leaves the container of a failed step behind.
        return ["docker", "build", "--force-rm", *common, str(wanted.context)]
    common += ["--progress", "plain"]
    if engine.kind == "buildkit":
        return ["docker", "build", *common, str(wanted.context)]
    if wanted.platform != "native":
        common += ["--platform", wanted.platform]
    for flag, caches in (("--cache-from", wanted.cache_from), ("--cache-to", wanted.cache_to)):
        for cache in caches:
            common += [flag, cache]
    return ["docker", "buildx", "build", "--load", *common, str(wanted.context)]


def variables(wanted: ImageBuild, engine: Engine, *, own_images: bool = False) -> dict[str, str]:
    """Return the environment variables that the build command needs.

    Attestations are off: they turn the image into an index, whose digest ECR does not scan, so the deployed
    digest would have no findings. An image of a commit gets the commit's time stamp (BuildKit ≥ 0.11).

    Args:
        own_images: Whether it is built on an image that only the engine has. This needs the engine's own
            builder, because buildx's other builders do not see the engine's images.
    """
    if engine.kind != "buildx":
        return {"DOCKER_BUILDKIT": "1" if engine.kind == "buildkit" else "0"}
    found = {"BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    if wanted.epoch is not None:
        found["SOURCE_DATE_EPOCH"] = str(wanted.epoch)
    if own_images:
        found["BUILDX_BUILDER"] = engine.context
    return found


def login(host: str) -> list[str]:
    """Return the command that logs in to ECR; it reads the password from its standard input."""
    return ["docker", "login", "--username", "AWS", "--password-stdin", host]


def push(tag: str) -> list[str]:
    """Return the command that pushes an image."""
    return ["docker", "push", tag]


def inspect(name: str) -> list[str]:
    """Return the command that prints an image's details as JSON."""
    return ["docker", "image", "inspect", "--format", "{{json .}}", name]


def tag(name: str, other: str) -> list[str]:
    """Return the command that gives an image a second name."""
    return ["docker", "image", "tag", name, other]


def remove(name: str) -> list[str]:
    """Return the command that removes an image's name, and the image with its last name."""
    return ["docker", "image", "rm", name]


def pushed_digest(output: str) -> str:
    """Return the digest that `docker push` printed; empty if it printed none."""
    found = _PUSHED.findall(output)
    return str(found[-1]) if found else ""


def digest_in(image: str, repository_uri: str) -> str:
    """Return an image's digest in a repository, from the output of `inspect`; empty if it has none.

    An image that was pushed to several repositories has a digest in each.
    """
    found = (entry.partition("@") for entry in json.loads(image).get("RepoDigests") or [])
    return next((digest for name, _, digest in found if name == repository_uri), "")


def found(name: str) -> dict[str, Any] | None:
    """Return the details of an image by name or ID; None if the engine does not have it."""
    done = subprocess.run(inspect(name), capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    image: dict[str, Any] = json.loads(done.stdout)
    return image


def keep_layers_only(tagged: str, repository: str) -> None:
    """Keep only the newest image of a repository in the engine.

    Each rehearsal would leave another tag, because the stack's port and the commit are part of the name. With
    no image at all, the classic builder would lose its cache, which consists of the images it built. So the
    newest image is kept under one name, and the previous one is removed together with the layers that the
    two do not share. Failures are ignored: the release is in the registry.
    """
    kept = f"{KEPT}/{repository}"
    before = found(kept)
    _try(tag(tagged, kept))
    _try(remove(tagged))
    discard(before, for_name=kept)


def discard(image: Mapping[str, Any] | None, *, for_name: str) -> None:
    """Remove an image whose name was given to another one.

    It is kept if another name (such as a task's, by digest), a container or another image still needs it.
    """
    if image is None or image["Id"] == (found(for_name) or image)["Id"]:
        return
    now = found(image["Id"])
    if now is not None and not now.get("RepoTags") and not now.get("RepoDigests"):
        _try(remove(image["Id"]))


def _try(arguments: list[str]) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(arguments, capture_output=True, check=False, timeout=PATIENCE)
