"""The state of a project's local stack, in files under the project's `.samjhadoo/local/`.

`stack.json` describes the running stack; it is written atomically and is valid only while the supervisor in
it is alive. `ended.json` gives the reason why the last stack ended, unless it was stopped on request.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.stack.watchdog import FOLDER_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator


class ProcessRef(msgspec.Struct, frozen=True):
    """A process; its start time distinguishes it from a later one with the same pid."""

    name: str
    pid: int
    started: str


class ContainerRef(msgspec.Struct, frozen=True):
    """A container of the Docker engine."""

    name: str
    id: str
    image: str


class Addresses(msgspec.Struct, frozen=True):
    """The addresses of a stack, all on 127.0.0.1: URLs, and `host:port` of PostgreSQL and Redis."""

    aws: str
    production: str
    test: str
    postgres: str
    redis: str


class ClockState(msgspec.Struct, frozen=True):
    """The emulated clock: real seconds in a minute, and the Unix time at which it began."""

    minute: float
    origin: float


class StackState(msgspec.Struct, frozen=True):
    """A running stack."""

    id: str
    kind: str
    environment: str
    region: str
    account: str
    started: float
    supervisor: ProcessRef
    processes: tuple[ProcessRef, ...]
    endpoints: Addresses
    clock: ClockState
    logs: str
    starter: ProcessRef | None = None
    containers: tuple[ContainerRef, ...] = ()


class StackEnding(msgspec.Struct, frozen=True):
    """Why a stack ended that was not stopped on request."""

    id: str
    reason: str
    at: float
    details: tuple[str, ...] = ()
    logs: str = ""


class StackPaths:
    """The paths of a project's stack."""

    def __init__(self, root: Path) -> None:
        self.folder = root.resolve() / ".samjhadoo" / "local"
        self.state = self.folder / "stack.json"
        self.ended = self.folder / "ended.json"
        self.lock = self.folder / "stack.lock"
        # It exists while the Docker engine may have something of a stack of this project.
        self.engine = self.folder / "engine"
        # Every stack's id begins with its project's mark, so that a lost stack can be found without its file.
        self.mark = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:8] + "-"

    def new_id(self) -> str:
        """Return the id of a new stack of this project."""
        return self.mark + secrets.token_hex(4)

    def run(self, stack: str) -> Path:
        """Return the folder of a stack's files."""
        return self.folder / f"{FOLDER_PREFIX}{stack}"

    def stacks(self, stack: str) -> Path:
        """Return the file that exists once the stacks of CloudFormation are made."""
        return self.run(stack) / "stacks-made"

    def read_state(self) -> StackState | None:
        """Return the content of `stack.json`; None when it is missing or not readable."""
        try:
            return msgspec.json.decode(self.state.read_bytes(), type=StackState)
        except (OSError, msgspec.MsgspecError):
            return None

    def read_ended(self) -> StackEnding | None:
        """Return why the last stack ended; None when it was stopped on request."""
        try:
            return msgspec.json.decode(self.ended.read_bytes(), type=StackEnding)
        except (OSError, msgspec.MsgspecError):
            return None

    def leftovers(self) -> Iterator[Path]:
        """Yield the folders of this project's stacks, inside and outside the project."""
        for parent in {self.folder, *server_parents()}:
            yield from parent.glob(f"{FOLDER_PREFIX}{self.mark}*")

    def clear(self) -> None:
        """Remove all files of stacks that have ended."""
        self.state.unlink(missing_ok=True)
        for folder in self.leftovers():
            shutil.rmtree(folder, ignore_errors=True)


def server_parents() -> list[Path]:
    """Return the temporary folders, for servers that run as another user than the current one."""
    candidates = dict.fromkeys([Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")])  # noqa: S108
    return [folder for folder in candidates if folder.is_dir()]


def write(path: Path, value: msgspec.Struct) -> None:
    """Write a file atomically, readable for its owner only."""
    write_bytes(path, msgspec.json.format(msgspec.json.encode(value)) + b"\n")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically, readable for its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
