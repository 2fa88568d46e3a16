"""A release's identity: its commit, or a hash of its content outside git."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from samjhadoo_ops.release.context import BuildContext

SHORT, LONG = 8, 12


@dataclass(frozen=True)
class Identity:
    """A release's identity.

    Attributes:
        version: The image's tag: the commit; `<commit>-dirty-<hash>` if the build context has uncommitted
            changes; `content-<hash>` outside git.
        revision: The commit; the version outside git.
        epoch: Unix timestamp of the commit; None outside git.

    """

    version: str
    revision: str
    epoch: int | None = None


def identify(context: BuildContext) -> Identity:
    """Return the identity of a build of the current source. Only changes that can affect the image count."""
    answer = _git(context.root, "rev-parse", "--show-prefix", "HEAD")
    if answer is None:
        version = f"content-{context.digest()[:LONG]}"
        return Identity(version, version)
    prefix, commit = answer.split("\n")[:2]
    epoch = int(_git(context.root, "show", "--no-patch", "--format=%ct", "HEAD") or 0) or None
    if not _changes(context, prefix):
        return Identity(commit, commit, epoch)
    return Identity(f"{commit}-dirty-{context.digest()[:SHORT]}", commit, epoch)


def _changes(context: BuildContext, prefix: str) -> bool:
    listed = _git(
        context.root, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", "."
    )
    paths = (line[3:].removeprefix(prefix) for line in (listed or "").split("\0") if line)
    own = {context.dockerfile.relative_to(context.root).as_posix(), ".dockerignore"}
    return any(path in own or not context.ignores(path) for path in paths)


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output; None without git, outside a repository or before the first commit."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None
