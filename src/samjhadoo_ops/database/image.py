"""Runs Flyway's image with this machine's Docker engine.

The folders with scripts and the project's `flyway.toml` are mounted under the same paths as on this machine,
so that Flyway's messages name them. `docker run` passes the password on as a variable, not as an argument.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from samjhadoo_ops.database import refusal
from samjhadoo_ops.database.catalogue import described
from samjhadoo_ops.database.flyway import QUIET, VARIABLES
from samjhadoo_ops.database.runner import run_process
from samjhadoo_ops.database.sizes import table_sizes
from samjhadoo_ops.errors import ConfigurationError, Refused
from samjhadoo_ops.processes import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.database.flyway import Flyway
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.database.runner import FlywayRun

CONFIGURATION = ("flyway.toml", "flyway.user.toml")
"""Files that Flyway reads from its working folder."""
LABEL = "samjhadoo-ops.flyway"
_HOST = "host.docker.internal"
_NOT_STARTED = range(125, 128)  # docker run: the engine refused, or the command cannot be run or is not there
_ENGINE_TIME = 30.0


@dataclass(frozen=True)
class DockerImage:
    """Flyway's image; a `Runner`.

    Args:
        image: The image's name; the engine pulls it if necessary.
        flyway: Flyway's arguments; `locations` are absolute paths on this machine.
        folder: The project; Flyway reads a `flyway.toml` in it.
        desktop: Whether the engine is Docker Desktop, whose host network is another one; None: find out.
    """

    image: str
    flyway: Flyway
    connection: Connection
    folder: Path
    desktop: bool | None = None
    leaves_nothing = True

    @property
    def database(self) -> str:
        """See `Runner`."""
        return str(self.connection)

    def command(self, *operations: str, ignore: Sequence[str] = (), desktop: bool = False) -> list[str]:
        """Return the command line, without the password; see `Flyway.arguments` for errors."""
        connection = self.connection
        if desktop and is_loopback(connection.host):
            connection = replace(connection, host=_HOST)
        url = connection.jdbc_url(application=self.flyway.application, parameters=self.flyway.parameters)
        present = [self.folder / name for name in CONFIGURATION if (self.folder / name).is_file()]
        return [
            *("docker", "run", "--rm", "--init", "--name", self.flyway.application),
            *("--label", f"{LABEL}={self.flyway.application}"),
            *([] if desktop else ["--network", "host"]),
            *(word for name in (*VARIABLES, "FLYWAY_PASSWORD") for word in ("--env", name)),
            *(
                word
                for path in (*self.flyway.locations, *present)
                # Not --volume, which would create missing folders.
                for word in ("--mount", f"type=bind,source={path},target={path},readonly")
            ),
            *("--workdir", str(self.folder)),
            self.image,
            QUIET,
            *self.flyway.arguments(*operations, ignore=ignore, url=url, user=connection.username),
        ]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of `docker run`, which passes some of the variables on."""
        return {**variables, **VARIABLES, "FLYWAY_PASSWORD": self.connection.password.reveal()}

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> FlywayRun:
        """Run Flyway; see `Runner`. If it is interrupted, container and database sessions are ended, too."""
        for folder in self.flyway.locations:
            if not os.path.isdir(folder):  # noqa: PTH112 - a PurePath, as it may be another machine's
                message = f"Flyway: Failed to find filesystem location: {folder} (not found)"
                raise Refused(message, hint=refusal.FOLDERS)
        try:
            desktop = _is_desktop() if self.desktop is None else self.desktop
            run = run_process(
                self.command(*operations, ignore=ignore, desktop=desktop),
                folder=self.folder,
                variables=self.environment(os.environ),
                seconds=self.flyway.timeouts.run,
                clean_up=self._end,
                name=f"flyway {' '.join(operations)}",
            )
        except (FileNotFoundError, PermissionError) as error:
            raise ConfigurationError(
                f"docker cannot be run: {error.strerror}",
                hint='install it, or set database.runner = "cli" to run Flyway without it',
            ) from error
        if run.exit_code in _NOT_STARTED and not run.output.strip():
            raise _not_started(self.image, run)
        return run

    def history(self) -> History:
        """Read the history table; see `Runner`."""
        return refusal.reached_history(self.connection, self.flyway.settings)

    def schema(self) -> str | None:
        """Describe the schema; see `Runner`."""
        return described(self.connection)

    def sizes(self) -> Mapping[str, int] | None:
        """Return how large the tables are; see `Runner`."""
        return table_sizes(self.connection)

    def _end(self) -> None:
        """Remove the container, which `docker run` may leave behind, and end its sessions."""
        with suppress(OSError, subprocess.TimeoutExpired):
            _docker("rm", "--force", self.flyway.application)
        self.connection.end_sessions(self.flyway.application)


def _not_started(image: str, run: FlywayRun) -> Refused:
    lines = [line.removeprefix("docker: ") for line in run.log.splitlines() if line.strip()]
    reason = next((line for line in lines if line.startswith("Error")), lines[0] if lines else "")
    return Refused(
        f"the Flyway image {image} could not be run: {reason}",
        details=tuple(lines[-10:]),
        hint=f"docker pull {image}, or correct database.flyway_image",
    )


def _is_desktop() -> bool:
    return (
        sys.platform != "linux"
        or "Docker Desktop" in _docker("info", "--format", "{{.OperatingSystem}}").stdout
    )


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["docker", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_ENGINE_TIME,
        check=False,
    )
