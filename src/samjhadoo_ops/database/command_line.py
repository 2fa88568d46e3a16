"""Runs Flyway's command line on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.database import refusal
from samjhadoo_ops.database.catalogue import described
from samjhadoo_ops.database.flyway import VARIABLES
from samjhadoo_ops.database.runner import run_process
from samjhadoo_ops.database.sizes import table_sizes
from samjhadoo_ops.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.database.flyway import Flyway
    from samjhadoo_ops.database.history import History
    from samjhadoo_ops.database.runner import FlywayRun


@dataclass(frozen=True)
class CommandLine:
    """Flyway's command line; a `Runner`.

    Args:
        command: The command that starts Flyway: java, the class path and the main class.
        folder: The working folder; Flyway reads a `flyway.toml` in it.
    """

    command: Sequence[str]
    flyway: Flyway
    connection: Connection
    folder: Path
    leaves_nothing = True

    @property
    def database(self) -> str:
        """See `Runner`."""
        return str(self.connection)

    def arguments(self, *operations: str, ignore: Sequence[str] = ()) -> list[str]:
        """Return the command line, without the password; see `Flyway.arguments` for errors."""
        url = self.connection.jdbc_url(application=self.flyway.application, parameters=self.flyway.parameters)
        return [
            *self.command,
            *self.flyway.arguments(*operations, ignore=ignore, url=url, user=self.connection.username),
        ]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the process's environment: the given variables without Flyway's, and the password."""
        kept = {name: value for name, value in variables.items() if not name.startswith("FLYWAY_")}
        return {**kept, **VARIABLES, "FLYWAY_PASSWORD": self.connection.password.reveal()}

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> FlywayRun:
        """Run Flyway; see `Runner`. If it is interrupted, its database sessions are ended, too."""
        try:
            return run_process(
                self.arguments(*operations, ignore=ignore),
                folder=self.folder,
                variables=self.environment(os.environ),
                seconds=self.flyway.timeouts.run,
                clean_up=lambda: self.connection.end_sessions(self.flyway.application),
                name=f"flyway {' '.join(operations)}",
            )
        except OSError as error:
            raise OpsError(f"Flyway could not be started: {error}") from error

    def history(self) -> History:
        """Read the history table; see `Runner`."""
        return refusal.reached_history(self.connection, self.flyway.settings)

    def schema(self) -> str | None:
        """Describe the schema; see `Runner`."""
        return described(self.connection)

    def sizes(self) -> Mapping[str, int] | None:
        """Return how large the tables are; see `Runner`."""
        return table_sizes(self.connection)
