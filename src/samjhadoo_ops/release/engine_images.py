"""Tidy up a project's images in the engine: keep what the build cache needs, and remove old ones."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.release import docker

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = "samjhadoo-ops.local"
"""Prefix of the name under which the last image for a local stack is kept for its layers."""

PATIENCE = 10.0
"""Real seconds that a deploy waits for the engine to remove an image; a busy engine may take minutes."""


def found(name: str) -> dict[str, Any] | None:
    """Return the details of an image by name or ID; None if the engine does not have it."""
    done = subprocess.run(docker.inspect(name), capture_output=True, text=True, check=False)
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
    _try(docker.tag(tagged, kept))
    _try(docker.remove(tagged))
    discard(before, for_name=kept)


def discard(image: Mapping[str, Any] | None, *, for_name: str) -> None:
    """Remove an image whose name was given to another one.

    It is kept if another name (such as a task's, by digest), a container or another image still needs it.
    """
    if image is None or image["Id"] == (found(for_name) or image)["Id"]:
        return
    now = found(image["Id"])
    if now is not None and not now.get("RepoTags") and not now.get("RepoDigests"):
        _try(docker.remove(image["Id"]))


def _try(arguments: list[str]) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(arguments, capture_output=True, check=False, timeout=PATIENCE)
