"""What runs a task's containers: the interface of every runtime (host processes, none, Docker).

A runtime knows images and containers; it knows nothing of tasks' states, dependencies, health, secrets or
log services. Those are the task driver's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import Any

DEFAULT_STOP_SIGNAL = "SIGTERM"


class CannotPullError(Exception):
    """An image cannot be pulled; the text is what AWS puts behind `CannotPullContainerError: `."""


class CannotStartError(Exception):
    """A container cannot be started; the text is what AWS puts behind `CannotStartContainerError: `."""


@dataclass(frozen=True)
class ImageConfig:
    """The part of an image's configuration that says how to run it."""

    entry_point: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    working_directory: str = ""
    user: str = ""
    stop_signal: str = DEFAULT_STOP_SIGNAL


@dataclass(frozen=True)
class PulledImage:
    """An image that has been pulled and can be run.

    Attributes:
        reference: How the task definition names it.
        digest: The digest of the manifest the reference named (of the index, if it named one).
        rootfs: The folder its layers are unpacked in, where a runtime does that.
        name: How a runtime's engine names it, where there is one.
        base: The name of its base image, where its manifest has one.
    """

    reference: str
    digest: str
    config: ImageConfig
    rootfs: Path | None = None
    name: str = ""
    base: str = ""


@dataclass(frozen=True)
class Usage:
    """What a container has used: CPU time in seconds since it started, resident memory in bytes now."""

    cpu_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Launch:
    """All that is needed to start a container.

    Attributes:
        task_id: The task's id (32 hexadecimal digits).
        name: The container's name in its task definition.
        region: The task's region.
        entry_point: Replaces the image's entry point (and drops the image's command), if not None.
        command: Replaces the image's command, if not None.
        environment: From task definition, secrets and overrides, merged; goes over the image's.
        neighbours: All ports of the task's containers, this one's included.
        working_directory: Replaces the image's, if not empty.
        user: Replaces the image's, if not empty.
        readonly: The container promises not to write to its root file system.
        definition: Its container definition, overrides laid over it: for what a runtime may enforce.
        task_definition: Its task definition, overrides of the task's size laid over it.
        output: Takes each line of output, without its end; called on the event loop.
    """

    task_id: str
    name: str
    region: str
    image: PulledImage
    entry_point: Sequence[str] | None = None
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[int] = ()
    neighbours: Sequence[int] = ()
    working_directory: str = ""
    user: str = ""
    readonly: bool = False
    definition: Mapping[str, Any] = field(default_factory=dict)
    task_definition: Mapping[str, Any] = field(default_factory=dict)
    output: Callable[[bytes], None] = lambda _line: None


class Container(Protocol):
    """A container that has been started."""

    @property
    def reason(self) -> str:
        """Why it ended, where the exit code is not enough; empty before the end."""

    @property
    def runtime_id(self) -> str:
        """The runtime's own name of the container."""

    async def wait(self) -> int:
        """Return the exit code once the container has ended; 128 + n after signal n."""

    async def stop(self, grace: float) -> None:
        """Send the image's stop signal, then SIGKILL after `grace` real seconds; return when it has ended."""

    def kill(self) -> None:
        """End it at once, as a crash would (exit code 137)."""

    def suspend(self) -> None:
        """Stop its processes until `resume`: clients that connect wait."""

    def resume(self) -> None:
        """Let suspended processes go on."""

    async def execute(self, command: Sequence[str], within: float) -> int | None:
        """Run a command inside the container; None if it took longer than `within` real seconds."""

    def address(self, port: int) -> tuple[str, int] | None:
        """Return where a port of the container is reached from the host."""

    async def usage(self) -> Usage | None:
        """Return what the container has used; None if it has ended or the runtime does not know."""


class Runtime(Protocol):
    """Pulls images and runs containers."""

    @property
    def real(self) -> bool:
        """Whether containers really run; if not, the driver fetches no secrets and writes no logs."""

    async def pull(self, reference: str) -> PulledImage:
        """Make an image ready.

        Raises:
            CannotPullError: The registry does not have it, or what it has is damaged.
        """

    async def prepare(self, task_id: str, definition: Mapping[str, Any]) -> None:
        """Create what all containers of a task share; otherwise the first `start` does.

        Raises:
            CannotStartError: That failed; `start` would fail in the same way.
        """

    async def start(self, launch: Launch) -> Container:
        """Start a container.

        Raises:
            CannotStartError: It cannot be started on this host.
        """

    async def release(self, task_id: str) -> None:
        """Release what a task that has ended held: ports and folders."""

    async def close(self) -> None:
        """End every container."""


@dataclass(frozen=True)
class Invocation:
    """What the host executes.

    Attributes:
        argv: The command line; its first word is a path.
        folder: The working directory.
        reports: Whether the command is `enter.py`, which wants a status file descriptor as its first word
            after the script.
    """

    argv: list[str]
    environment: Mapping[str, str]
    folder: Path
    reports: bool = False


class ExecutionContext(Protocol):
    """Where a container's processes run."""

    def invocation(self, argv: Sequence[str], *, join: int = 0) -> Invocation:
        """Return how to run a command line of the container.

        Args:
            argv: The command line in the container's terms.
            join: The process id of the container, for a command beside it; 0 for the container itself.
        """


def not_found(name: str) -> str:
    """Return the container runtime's words for a missing executable."""
    path = f"stat {name}: no such file or directory"
    text = path if "/" in name else "executable file not found in $PATH"
    failed = "failed to create task: runc create failed: unable to start container process"
    return f'{failed}: exec: "{name}": {text}'
