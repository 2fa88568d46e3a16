"""The build context: the files that may go into an image, without those that `.dockerignore` excludes."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class BuildContext:
    """A folder as Docker reads it.

    Args:
        dockerfile: The Dockerfile's path inside it; `<dockerfile>.dockerignore` replaces `.dockerignore`.

    Raises:
        ConfigurationError: The folder does not exist.
    """

    def __init__(self, root: Path, dockerfile: str = "Dockerfile") -> None:
        if not root.is_dir():
            raise ConfigurationError(
                f"the build context {root} is not a folder", hint="correct build.context"
            )
        self.root = root
        self.dockerfile = root / dockerfile

    @cached_property
    def _patterns(self) -> tuple[str, ...]:
        for file in (
            self.dockerfile.with_name(self.dockerfile.name + ".dockerignore"),
            self.root / ".dockerignore",
        ):
            if file.is_file():
                lines = (line.strip() for line in file.read_text().splitlines() if not line.startswith("#"))
                return tuple(_anchored(line) for line in lines if line)
        return ()

    @cached_property
    def _spec(self) -> Any:
        import pathspec

        return pathspec.PathSpec.from_lines("gitignore", self._patterns)

    def ignores(self, path: str) -> bool:
        """Return whether `.dockerignore` excludes a path, given relative to the context."""
        return bool(self._patterns) and bool(self._spec.match_file(path))

    def walk(self, start: str = "") -> Iterator[str]:
        """Yield the paths below a folder of the context in a fixed order, folders before their contents.

        Paths are relative to the context. Links are yielded, but not followed.
        """
        # An excluded folder may contain files that a later `!` pattern includes again.
        has_exceptions = any(pattern.startswith("!") for pattern in self._patterns)
        with os.scandir(self.root / start) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            path = f"{start}/{entry.name}" if start else entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            ignored = self.ignores(path)
            if not ignored:
                yield path
            if is_folder and (has_exceptions or not ignored):
                yield from self.walk(path)

    def digest(self) -> str:
        """Return a hash of everything that may go into the image: names, modes and contents."""
        total = hashlib.sha256()
        extra = [path.relative_to(self.root).as_posix() for path in self._own_files() if path.is_file()]
        for path in sorted({*self.walk(), *extra}):
            total.update(f"{path}\0{fingerprint(self.root / path)}\0".encode())
        return total.hexdigest()

    def _own_files(self) -> tuple[Path, ...]:
        """Return the files that influence the image even if it does not contain them."""
        return self.dockerfile, self.root / ".dockerignore"


def file_mode(status: os.stat_result) -> int:
    """Return a file's mode as git stores it, so that the digest does not depend on the umask."""
    return 0o755 if status.st_mode & stat.S_IXUSR else 0o644


def fingerprint(path: Path) -> str:
    """Return a text that identifies a file's kind, mode and content."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"link {path.readlink()}"
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    if not stat.S_ISREG(status.st_mode):
        return "other"
    with path.open("rb") as file:
        return f"{file_mode(status):o} {hashlib.file_digest(file, 'sha256').hexdigest()}"


def _anchored(pattern: str) -> str:
    """Return a pattern of `.dockerignore`, which is relative to the context, in git's syntax."""
    negated, pattern = pattern.startswith("!"), pattern.removeprefix("!").strip()
    while pattern.startswith(("./", "/")):
        pattern = pattern.removeprefix(".").lstrip("/")
    return f"{'!' if negated else ''}/{pattern.rstrip('/')}"


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
