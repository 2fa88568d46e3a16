"""Flyway's command line: its arguments as data, and the process that runs it.

Facts: `reference` C.3 of the project's notes, and Flyway 12.4's own output. A setting given twice is an
error of Flyway's, as is a variable FLYWAY_… beside the argument.
"""

from __future__ import annotations

import os
import subprocess
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.database.connection import Connection

DEFAULTS: Mapping[str, str] = {
    "cleanDisabled": "true",
    # Off by default: a mistyped folder would be an empty, perfectly valid set of migrations.
    "failOnMissingLocations": "true",
    "validateMigrationNaming": "true",
    # Flyway's lock in a transaction would make CREATE INDEX CONCURRENTLY wait for itself (flyway#1464).
    "postgresql.transactional.lock": "false",
}
OWN = frozenset(
    {"url", "user", "password", "locations", "outputType", "configFiles", "ignoreMigrationPatterns"}
)
"""Settings that the tool makes itself; `ignoreMigrationPatterns` is only added to."""


class RunTimeoutError(OpsError):
    """A run of Flyway took longer than it may, and was ended; what it had committed stands."""


@dataclass(frozen=True)
class Timeouts:
    """Real seconds: for a lock, for a statement, for a whole run of Flyway."""

    lock: float
    statement: float
    run: float


@dataclass(frozen=True)
class Run:
    """What a run of Flyway printed."""

    exit_code: int
    output: str
    log: str


@dataclass(frozen=True)
class Flyway:
    """Flyway for one database.

    Args:
        command: How Flyway is started: java, the class path, the main class.
        locations: Folders of scripts.
        settings: Further settings, without the prefix `flyway.`.
        folder: Where it runs; a `flyway.toml` there is read by Flyway.
        application: The name of its sessions, by which a killed run's are ended.

    """

    command: Sequence[str]
    connection: Connection
    locations: Sequence[Path]
    timeouts: Timeouts
    folder: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    application: str = field(default_factory=lambda: f"samjhadoo-ops-flyway-{uuid.uuid4().hex[:12]}")

    def arguments(self, *operations: str, ignore: Sequence[str] = ()) -> list[str]:
        """Return the command line, without the password.

        Args:
            operations: Flyway's commands, run one after the other in one process.
            ignore: Patterns of migrations that `validate` does not object to.

        Raises:
            ConfigurationError: `database.flyway` sets what the tool sets.

        """
        taken = sorted(OWN.intersection(self.settings) - {"ignoreMigrationPatterns"})
        if taken:
            raise ConfigurationError(
                f"database.flyway.{taken[0]}: this setting is made by the tool",
                hint=f"remove {taken[0]} from [database.flyway]",
            )
        parameters = {
            "lock_timeout": _milliseconds(self.timeouts.lock),
            "statement_timeout": _milliseconds(self.timeouts.statement),
        }
        # Future migrations are normal: the database has them after the release was rolled back.
        patterns = [*filter(None, [self.settings.get("ignoreMigrationPatterns")]), "*:future", *ignore]
        settings = {
            "url": self.connection.jdbc_url(application=self.application, parameters=parameters),
            "user": self.connection.username,
            "locations": ",".join(f"filesystem:{folder}" for folder in self.locations),
            "outputType": "json",
            **DEFAULTS,
            **self.settings,
            "ignoreMigrationPatterns": ",".join(patterns),
        }
        return [*self.command, *(f"-{name}={value}" for name, value in settings.items()), *operations]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the process's variables: those given, none of Flyway's, and the password."""
        kept = {name: value for name, value in variables.items() if not name.startswith("FLYWAY_")}
        password = self.connection.password.reveal()
        return {**kept, "FLYWAY_PASSWORD": password, "REDGATE_DISABLE_TELEMETRY": "true"}

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> Run:
        """Run Flyway to its end; a run that takes too long, or is interrupted, is ended in the database too.

        Raises:
            RunTimeoutError: It took longer than `timeouts.run`.
            OpsError: It could not be started.

        """
        try:
            process = subprocess.Popen(
                self.arguments(*operations, ignore=ignore),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                cwd=self.folder,
                env=self.environment(os.environ),
                preexec_fn=die_with_parent(),  # noqa: PLW1509 - allocates nothing between fork and exec
            )
        except OSError as error:
            raise OpsError(f"Flyway could not be started: {error}") from error
        with process:
            try:
                output, log = process.communicate(timeout=self.timeouts.run)
            except BaseException as error:
                process.kill()
                process.wait()
                self._end_sessions()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise RunTimeoutError(
                        f"flyway {' '.join(operations)} took longer than database.migrate_timeout "
                        f"({self.timeouts.run:g} s) and was ended",
                        hint="something may hold a lock: see pg_stat_activity",
                    ) from error
                raise
        return Run(process.returncode, output, log)

    def _end_sessions(self) -> None:
        """End what a killed run left in the database: PostgreSQL would finish the statement first."""
        import psycopg

        with suppress(psycopg.Error), self.connection.open() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
                (self.application,),
            )


def _milliseconds(seconds: float) -> str:
    # Zero would mean none to PostgreSQL.
    return str(max(1, round(seconds * 1000)))
