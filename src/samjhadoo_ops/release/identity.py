"""A release's identity: the commit, if the image can hold only what the commit has; else its content, too."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.release import dockerfile
from samjhadoo_ops.release.context import BuildContext, fingerprint, shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from samjhadoo_ops.environment import Environment

SHORT, LONG = 8, 12
CONTENT, DIRTY = "content-", "-dirty-"
_SHOWN = 5
"""How many files are named."""


@dataclass(frozen=True)
class Identity:
    """A release's identity.

    Attributes:
        version: The image's tag: the commit; `<commit>-dirty-<hash>` if the image may hold something else
            than the commit has; `content-<hash>` outside git.
        revision: The commit; the version outside git.
        epoch: Unix timestamp of the commit; None outside git.
        uncommitted: Files of the image that were changed, added or removed since the commit.
        ignored: Files of the image that git ignores, such as the output of an earlier build.
    """

    version: str
    revision: str
    epoch: int | None = None
    uncommitted: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()

    @property
    def is_reproducible(self) -> bool:
        """Return whether a commit makes the same image; judged by its version, which others may have made."""
        return DIRTY not in self.version and not self.version.startswith(CONTENT)

    @property
    def differences(self) -> tuple[str, ...]:
        """What the image has, or lacks, in comparison with the commit; a line for each kind."""
        kinds = (("uncommitted", self.uncommitted), ("ignored by git", self.ignored))
        return tuple(f"{kind}: {_names(paths)}" for kind, paths in kinds if paths)


def _names(paths: tuple[str, ...]) -> str:
    rest = len(paths) - _SHOWN
    return ", ".join([*map(shown, paths[:_SHOWN]), *([f"and {rest} more"] if rest > 0 else [])])


def build_context(env: Environment) -> BuildContext:
    """Return the environment's build context; raise `ConfigurationError` if it does not exist."""
    return BuildContext(env.root / env.build.context, env.build.dockerfile)


def identify(env: Environment) -> Identity:
    """Return the identity of a build of the current source; only what can be in the image counts.

    Raises:
        ConfigurationError: There is no build context, or its `.dockerignore` cannot be understood.
    """
    source = _Source(env)
    answer = _git(source.root, "rev-parse", "--show-toplevel", "HEAD")
    if answer is None:
        name = f"{CONTENT}{source.digest()[:LONG]}"
        return Identity(name, name)
    top, commit = answer.split("\n")[:2]
    epoch = int(_git(source.root, "show", "--no-patch", "--format=%ct", "HEAD") or 0) or None
    uncommitted, ignored = source.changes(Path(top))
    if env.build.command:  # which makes them again, from the commit
        source.leave_out(ignored)
        ignored = ()
    version = commit
    if uncommitted or ignored:
        version += f"{DIRTY}{source.digest()[:SHORT]}"
    return Identity(version, commit, epoch, uncommitted, ignored)


class _Source:
    """What of a project can be in its image."""

    def __init__(self, env: Environment) -> None:
        self._context = build_context(env)
        self.root = Path(os.path.realpath(self._context.root))
        bases = env.build.bases.values() if env.build.builder != "oci" else ()
        recipes = [self._context.dockerfile, *(self._context.root / name for name in bases)]
        self._own = {*recipes, *self._context.ignore_files()}
        self._read = [instructions for file in recipes if (instructions := _instructions(file)) is not None]
        self._patterns = [pattern for each in self._read for pattern in dockerfile.copied(each)]
        self._taken = dockerfile.taken(self._context, self._patterns)
        self._arguments = env.build.args

    def digest(self) -> str:
        """Return a hash of all that goes into the image, but for base images from elsewhere."""
        names = {name for each in self._read for name in dockerfile.arguments_of(each)}
        given = sorted((name, value) for name, value in self._arguments.items() if name in names)
        own = [fingerprint(file.resolve()) for file in sorted(self._own) if file.is_file()]
        everything = repr((self._context.digest(self._taken), own, given))
        return hashlib.sha256(everything.encode(errors="surrogateescape")).hexdigest()

    def leave_out(self, paths: Collection[str]) -> None:
        """Let files count no more."""
        self._taken = [path for path in self._taken if path not in paths]

    def changes(self, top: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the paths that differ from the commit, and those that git ignores.

        Args:
            top: The top folder of git's working copy.
        """
        own = {Path(os.path.realpath(file)) for file in self._own} | {
            self.root / os.path.relpath(file, self._context.root) for file in self._own
        }
        beside = [os.fspath(file) for file in own if file.is_relative_to(top)]
        options = ("--no-renames", "--untracked-files=all", "--ignored=matching", "--ignore-submodules=none")
        status = ("--literal-pathspecs", "status", "--porcelain", "-z", *options)
        listed = _git(self.root, *status, "--", ".", *beside)
        if listed is None:
            raise ConfigurationError(f"git cannot list the changes in {self.root}")
        uncommitted = {os.fspath(file) for file in own if file.is_file() and not file.is_relative_to(top)}
        ignored: set[str] = set()
        for entry in filter(None, listed.split("\0")):
            path = top / entry[3:]
            affected = {os.path.relpath(path, self.root)} if path in own else self._affected(path)
            (ignored if entry.startswith("!!") else uncommitted).update(affected)
        return tuple(sorted(uncommitted)), tuple(sorted(ignored))

    def _affected(self, path: Path) -> set[str]:
        """Return what of the image a path that git lists stands for: a file, or all of a folder."""
        relative = os.path.relpath(path, self.root)
        if relative == "." or relative.startswith(".."):
            return set(self._taken)
        if not os.path.lexists(path):  # it was removed
            gone = dockerfile.matches(relative, self._patterns) and not self._context.ignores(relative)
            return {relative} if gone else set()
        return {each for each in self._taken if each == relative or each.startswith(f"{relative}/")}


def _instructions(file: Path) -> list[dockerfile.Instruction] | None:
    """Return a Dockerfile's instructions; None if it cannot be read, which the builder will report."""
    try:
        return dockerfile.read(file, name=file.name)
    except ConfigurationError:
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return git's output; None without git, outside a repository or before the first commit."""
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None
