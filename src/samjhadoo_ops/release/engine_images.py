"""What an engine holds of a project's images, so that caches last and nothing heaps up."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.release import docker

if TYPE_CHECKING:
    from collections.abc import Mapping

KEPT = "samjhadoo-ops.local"
"""Before the repository's name: the last image that was built for a local stack, kept for its layers."""

PATIENCE = 10.0
"""Real seconds that a deploy waits for the engine to tidy up; a busy one may take minutes for an image."""


def found(name: str) -> dict[str, Any] | None:
    """Return what the engine knows of an image; None when it has none of that name or ID."""
    done = subprocess.run(docker.inspect(name), capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    image: dict[str, Any] = json.loads(done.stdout)
    return image


def keep_layers_only(tagged: str, repository: str) -> None:
    """Leave one image of a repository in the engine, whatever the number of releases.

    A stack's registry has a port, and a release a commit: each rehearsal would leave a tag. Without any, the
    classic builder would lose its cache, which is the images it made. So the newest keeps one name, and the
    one before it goes, together with those of its layers that the newest does not share. Failures are of no
    consequence: the release is in the registry.
    """
    kept = f"{KEPT}/{repository}"
    before = found(kept)
    _try(docker.tag(tagged, kept))
    _try(docker.remove(tagged))
    discard(before, for_name=kept)


def discard(image: Mapping[str, Any] | None, *, for_name: str) -> None:
    """Remove an image that lost its name to another one.

    It stays where another name (a task's, by digest), a container or an image built on it still needs it.
    """
    if image is None or image["Id"] == (found(for_name) or image)["Id"]:
        return
    now = found(image["Id"])
    if now is not None and not now.get("RepoTags") and not now.get("RepoDigests"):
        _try(docker.remove(image["Id"]))


def _try(arguments: list[str]) -> None:
    with suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(arguments, capture_output=True, check=False, timeout=PATIENCE)
