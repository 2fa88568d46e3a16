"""The build context: the files that may go into an image, without those that `.dockerignore` excludes."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.patterns import is_ignored, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from samjhadoo_ops.release.patterns import IgnoreRule


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
    def _rules(self) -> tuple[IgnoreRule, ...]:
        return next((read_rules(file) for file in self._ignore_files() if file.is_file()), ())

    def ignores(self, path: str) -> bool:
        """Return whether `.dockerignore` excludes a path, given relative to the context."""
        return is_ignored(path, self._rules)

    def walk(self, start: str = "") -> Iterator[str]:
        """Yield the paths below a folder of the context in a fixed order, folders before their contents.

        Paths are relative to the context. Links are yielded, but not followed.
        """
        # An excluded folder may contain files that a later `!` pattern includes again.
        has_exceptions = any(rule.exception for rule in self._rules)
        with os.scandir(self.root / start) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
        for entry in ordered:
            path = f"{start}/{entry.name}" if start else entry.name
            ignored = self.ignores(path)
            below: Iterator[str] = iter(())
            if entry.is_dir(follow_symlinks=False) and (has_exceptions or not ignored):
                below = self.walk(path)
            first = next(below, None) if ignored else None
            if not ignored or first is not None:
                yield path
            if first is not None:
                yield first
            yield from below

    def has(self, path: str) -> bool:
        """Return whether a path of the context may be copied: it exists, and not all of it is excluded."""
        file = self.root / path
        if not os.path.lexists(file):
            return False
        is_folder = file.is_dir() and not file.is_symlink()
        return not path or not self.ignores(path) or (is_folder and next(self.walk(path), None) is not None)

    def resolve(self, path: str) -> str:
        """Return where the links in a path of the context lead, relative to the context.

        What they lead to is part of the context, and so of its digest.

        Raises:
            ValueError: It is outside the context, does not exist, or is excluded by `.dockerignore`.
        """
        top = os.path.realpath(self.root)
        found = os.path.relpath(os.path.realpath(os.path.join(top, path)), top)  # noqa: PTH118
        found = "" if found == "." else found
        if found.partition("/")[0] == "..":
            raise ValueError(f"{shown(path)} leads out of the build context")
        is_circle = os.path.islink(os.path.join(top, found))  # noqa: PTH114, PTH118
        if is_circle or (found != path and not self.has(found)):
            raise ValueError(f"{shown(path)} leads to {shown(found)}, which is not in the build context")
        return found

    def digest(self) -> str:
        """Return a hash of everything that may go into the image: names, modes and contents."""
        total = hashlib.sha256()
        for file in (self.dockerfile, *self._ignore_files()):  # also if they are excluded, or links
            total.update(fingerprint(file.resolve()).encode() if file.is_file() else b"none")
        for path in self.walk():
            total.update(os.fsencode(f"{path}\0{fingerprint(self.root / path)}\0"))
        return total.hexdigest()

    def _ignore_files(self) -> tuple[Path, ...]:
        return self.dockerfile.with_name(self.dockerfile.name + ".dockerignore"), self.root / ".dockerignore"


def shown(path: str) -> str:
    """Return a path as text that can be printed, whatever its encoding."""
    return os.fsencode(path).decode(errors="backslashreplace")


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
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None
