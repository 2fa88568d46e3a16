"""The build context: the files that may go into an image, without those that `.dockerignore` excludes."""

from __future__ import annotations

import hashlib
import os
import stat
from functools import cached_property
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release.patterns import is_ignored, read_rules

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from samjhadoo_ops.release.patterns import IgnoreRule


OWN_FOLDER = ".samjhadoo"
"""Where the tool keeps what it makes. It is no part of a build context, because a build changes it."""


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
        return next((read_rules(file) for file in self.ignore_files() if file.is_file()), ())

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
            if path == OWN_FOLDER:
                continue
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

    def digest(self, paths: Iterable[str] | None = None) -> str:
        """Return a hash of files of the context, by default of all: names, modes and contents."""
        total = hashlib.sha256()
        for path in self.walk() if paths is None else paths:
            total.update(os.fsencode(f"{path}\0{fingerprint(self.root / path)}\0"))
        return total.hexdigest()

    def ignore_files(self) -> tuple[Path, ...]:
        """Return the files that may hold the rules; the first that exists does."""
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
