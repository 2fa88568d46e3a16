"""Runs complete images inside their root file system (Linux).

Each container gets its own mount namespace with an overlay over the shared, unpacked image: nothing is
copied, nothing is left mounted on the host, whatever happens to the processes. As an ordinary user this needs
user namespaces. Where the kernel refuses an overlay, the image is copied; where it refuses namespaces and the
emulator is root, plain chroot serves. Network and process ids are the host's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_emulator.ecs.runtime import enter
from samjhadoo_emulator.ecs.runtime.contract import CannotStartError, Invocation, not_found
from samjhadoo_emulator.ecs.runtime.layers import follow
from samjhadoo_emulator.ecs.runtime.layout import DEFAULT_PATH, search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MODES = ("overlay", "bind", "chroot")
_PROBE_SECONDS = 10
_HOME_FIELD = 5


@dataclass(frozen=True)
class Identity:
    """The user a container runs as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/root"


class RootFilesystem:
    """The execution context of a container of a complete image: its root file system.

    Args:
        mode: One of `MODES`; see `possible_mode`.
        root: The container's own folder; holds a copy of the image unless the mode is `overlay`.
        folder: The working directory.
        user: The user as the image or the task definition names it.
    """

    def __init__(
        self, mode: str, *, image: Path, root: Path, environment: Mapping[str, str], folder: str, user: str
    ) -> None:
        self._image = image
        self._folder = folder or "/"
        self._path = environment.get("PATH") or DEFAULT_PATH
        # An ordinary user is root in its namespace and can be nobody else there.
        self._users = os.geteuid() != 0
        who = Identity() if self._users else identity(image, user)
        environment = {"HOME": who.home, **environment}
        self._environment = {f"_{name}": value for name, value in environment.items()}
        self._specification: dict[str, object] = {
            "mode": mode,
            "users": self._users,
            "target": os.fspath(root),
            "folder": self._folder,
            "parent": os.getpid(),
            "uid": who.uid,
            "gid": who.gid,
            "groups": who.groups,
        }
        if mode == "overlay":
            upper, work = root.with_name("upper"), root.with_name("work")
            for each in (root, upper, work):
                each.mkdir(parents=True, exist_ok=True)
            upper.chmod(0o755)
            self._specification |= {
                "lower": os.fspath(image),
                "upper": os.fspath(upper),
                "work": os.fspath(work),
            }
        self._joins = mode != "chroot"

    def invocation(self, argv: Sequence[str], *, join: int = 0) -> Invocation:
        """Return how to run a command line; see `ExecutionContext`."""
        found = search(self._image, argv[0], path=self._path, folder=self._folder)
        if found is None and not join:
            raise CannotStartError(not_found(argv[0]))
        specification = {**self._specification, "argv": list(argv)}
        if join and self._joins:
            specification["join"] = join
        words = [sys.executable, "-I", "-S", enter.__file__, json.dumps(specification)]
        return Invocation(words, self._environment, Path("/"), reports=True)


def possible_mode(folder: Path) -> str:
    """Return the best of `MODES` this host allows for root file systems under `folder`; empty if none does.

    Blocking.
    """
    if sys.platform != "linux":
        return ""
    for mode in MODES:
        if mode == "chroot" and os.geteuid() != 0:
            continue
        with tempfile.TemporaryDirectory(dir=folder, prefix=".probe-", ignore_cleanup_errors=True) as scratch:
            names = ("lower", "upper", "work", "target")
            folders = {name: os.path.join(scratch, name) for name in names}  # noqa: PTH118
            for path in folders.values():
                Path(path).mkdir()
            specification = {"mode": mode, "users": os.geteuid() != 0, **folders}
            script = "import sys, json, runpy; runpy.run_path(sys.argv[1])['enter'](json.loads(sys.argv[2]))"
            words = [sys.executable, "-I", "-S", "-c", script, enter.__file__, json.dumps(specification)]
            if (
                subprocess.run(words, capture_output=True, check=False, timeout=_PROBE_SECONDS).returncode
                == 0
            ):
                return mode
    return ""


def identity(root: Path, user: str) -> Identity:
    """Return the ids of a user as an image names it: a name or a number, and perhaps a group.

    Raises:
        CannotStartError: The image does not know the user.
    """
    name, _, group = user.partition(":")
    if not name:
        return Identity()
    users = _records(root, "/etc/passwd")
    entry = next((each for each in users if name in (each[0], each[2])), None)
    if entry is None and not name.isdigit():
        raise CannotStartError(f"unable to find user {name}: no matching entries in passwd file")
    uid = int(entry[2] if entry else name)
    gid = int(entry[3]) if entry else 0
    groups = _records(root, "/etc/group")
    if group:
        found = next((each for each in groups if group in (each[0], each[2])), None)
        if found is None and not group.isdigit():
            raise CannotStartError(f"unable to find group {group}: no matching entries in group file")
        gid = int(found[2] if found else group)
    member_of = [int(each[2]) for each in groups if entry and entry[0] in each[3].split(",")]
    home = entry[5] if entry and len(entry) > _HOME_FIELD else "/"
    return Identity(uid, gid, tuple(member_of) if not group else (), home)


def _records(root: Path, name: str) -> list[list[str]]:
    path = follow(root, name)
    if path is None:
        return []
    lines = path.read_text(errors="replace").splitlines()
    return [fields for line in lines if len(fields := line.split(":")) >= 4]  # noqa: PLR2004
