"""Building and pushing with a Docker engine: commands as data, and the one place that runs them."""

from __future__ import annotations

import json
import subprocess
from collections import deque
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.console import Console

LAST_LINES = 20
"""Lines of a failed command's output that are shown again."""


def buildx(
    tag: str,
    *,
    context: Path,
    dockerfile: Path,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    platform: str = "native",
) -> list[str]:
    """Return the command that builds an image with BuildKit and keeps it in the engine."""
    return [
        *("docker", "buildx", "build", "--load"),
        *_options(tag, dockerfile=dockerfile, arguments=arguments, labels=labels, platform=platform),
        str(context),
    ]


def build(
    tag: str,
    *,
    context: Path,
    dockerfile: Path,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    platform: str = "native",
) -> list[str]:
    """Return the command that builds an image as the deployment plan does (3.1)."""
    return [
        *("docker", "build"),
        *_options(tag, dockerfile=dockerfile, arguments=arguments, labels=labels, platform=platform),
        str(context),
    ]


def login(host: str) -> list[str]:
    """Return the command that logs in to ECR; it reads the password from its standard input."""
    return ["docker", "login", "--username", "AWS", "--password-stdin", host]


def push(tag: str) -> list[str]:
    """Return the command that pushes an image."""
    return ["docker", "push", tag]


def digests(tag: str) -> list[str]:
    """Return the command that prints an image's digests by repository, as JSON."""
    return ["docker", "image", "inspect", "--format", "{{json .RepoDigests}}", tag]


def digest_in(output: str, repository_uri: str) -> str:
    """Return the digest that `digests` printed for a repository; empty when there is none."""
    found = (entry.partition("@") for entry in json.loads(output) or [])
    return next((digest for name, _, digest in found if name == repository_uri), "")


def run(command: Sequence[str], console: Console, *, cwd: Path, given: str | None = None) -> str:
    """Run a command, telling its output line by line, and return the output.

    Args:
        command: Program and arguments.
        console: Where the lines go.
        cwd: The folder it runs in.
        given: Its standard input.

    Raises:
        ConfigurationError: There is no such program.
        OpsError: It ended with another status than 0.

    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except (FileNotFoundError, PermissionError) as error:
        raise ConfigurationError(
            f"{command[0]} cannot be run: {error.strerror}",
            hint='install it, or set build.builder = "oci" to build without it',
        ) from error
    with process:
        if process.stdin is not None:
            process.stdin.write(given or "")
            process.stdin.close()
        lines: list[str] = []
        for line in process.stdout or ():
            lines.append(line)
            console.line(f"  {line.rstrip()}")
    if process.returncode:
        raise OpsError(
            f"{' '.join(command[:3])} ended with status {process.returncode}",
            details=tuple(line.rstrip() for line in deque(lines, LAST_LINES)),
        )
    return "".join(lines)


def _options(
    tag: str, *, dockerfile: Path, arguments: Mapping[str, str], labels: Mapping[str, str], platform: str
) -> list[str]:
    options = ["--file", str(dockerfile), "--tag", tag]
    if platform != "native":
        options += ["--platform", platform]
    for flag, values in (("--build-arg", arguments), ("--label", labels)):
        for key, value in values.items():
            options += [flag, f"{key}={value}"]
    return options
