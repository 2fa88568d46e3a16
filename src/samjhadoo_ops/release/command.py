"""Runs the programs of a build: shows their output, and ends them when the run is interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import deque
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.console import Console

LAST_LINES = 20
"""How many of the last output lines an error shows."""
PATIENCE = 10.0
"""Real seconds that an interrupted command gets to end by itself."""


class CommandFailed(OpsError):
    """A program exited with a status other than 0."""

    def __init__(self, command: Sequence[str], status: int, output: str, *, hint: str = "") -> None:
        last = tuple(line.rstrip() for line in deque(output.splitlines(), LAST_LINES))
        super().__init__(f"{' '.join(command[:3])} failed with exit status {status}", hint=hint, details=last)
        self.output = output


def run(
    command: Sequence[str],
    console: Console,
    *,
    cwd: Path,
    given: str | None = None,
    variables: Mapping[str, str] | None = None,
    show: bool = True,
) -> str:
    """Run a program, show its output line by line, and return the output.

    If this process is interrupted, the program is ended first, and an event reports it.

    Args:
        console: Where the lines are shown.
        cwd: The folder it runs in.
        given: Its standard input.
        variables: Environment variables in addition to those of this process.
        show: Whether to show the lines.

    Raises:
        ConfigurationError: The program does not exist.
        CommandFailed: It exited with a status other than 0.
    """
    with _started(command, cwd, variables or {}, piped=given is not None) as process:
        try:
            output = _output(process, console if show else None, given)
        except BaseException:
            _end(process)
            console.event("command-ended", f"{' '.join(command[:2])} was ended", command=list(command[:2]))
            raise
    if process.returncode:
        raise CommandFailed(command, process.returncode, output)
    return output


def _started(
    command: Sequence[str], cwd: Path, variables: Mapping[str, str], *, piped: bool
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **variables},
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509 - its own thread waits for it
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ConfigurationError(
            f"{command[0]} cannot be run: {error.strerror}",
            hint='install it, or set build.builder = "oci" to build without it',
        ) from error


def _output(process: subprocess.Popen[str], console: Console | None, given: str | None) -> str:
    if process.stdin is not None:
        process.stdin.write(given or "")
        process.stdin.close()
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if console is not None:
            console.line(f"  {line.rstrip()}")
    process.wait()
    return "".join(lines)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
