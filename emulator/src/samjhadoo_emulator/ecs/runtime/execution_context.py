"""Where a container's processes run: what a command line inside the container is on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Invocation:
    """What the host executes.

    Attributes:
        argv: The command line; its first word is a path.
        environment: The whole environment.
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

        Raises:
            CannotStartError: The command does not exist.

        """


def not_found(name: str) -> str:
    """Return the container runtime's words for a missing executable."""
    path = f"stat {name}: no such file or directory"
    text = path if "/" in name else "executable file not found in $PATH"
    failed = "failed to create task: runc create failed: unable to start container process"
    return f'{failed}: exec: "{name}": {text}'
