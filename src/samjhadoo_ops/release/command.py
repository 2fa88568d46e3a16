"""The one place that runs a builder's programs: their lines are told, their end is ours."""

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
"""Lines of a failed command's output that are shown again."""
PATIENCE = 10.0
"""Real seconds that an interrupted command has to end by itself."""


class CommandFailed(OpsError):
    """A program ended with another status than 0.

    Args:
        command: The program and its arguments.
        status: How it ended.
        output: What it printed.
        hint: What to do next.

    """

    def __init__(self, command: Sequence[str], status: int, output: str, *, hint: str = "") -> None:
        last = tuple(line.rstrip() for line in deque(output.splitlines(), LAST_LINES))
        super().__init__(f"{' '.join(command[:3])} ended with status {status}", hint=hint, details=last)
        self.output = output


def run(
    command: Sequence[str],
    console: Console,
    *,
    cwd: Path,
    given: str | None = None,
    variables: Mapping[str, str] | None = None,
    told: bool = True,
) -> str:
    """Run a program, telling its output line by line, and return the output.

    A program that is still running when this one is interrupted is ended first, and told so.

    Args:
        command: Program and arguments.
        console: Where the lines go.
        cwd: The folder it runs in.
        given: Its standard input.
        variables: Environment variables that it gets beside this program's own.
        told: Whether its lines are told.

    Raises:
        ConfigurationError: There is no such program.
        CommandFailed: It ended with another status than 0.

    """
    with _started(command, cwd, variables or {}, piped=given is not None) as process:
        try:
            output = _output(process, console if told else None, given)
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
