"""The interface to run Flyway: with its command line, from its image, or as a task in the cluster."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from samjhadoo_ops.database.history import History


class NoAnswerError(OpsError):
    """Flyway started, but its result is unknown; changes that it committed remain."""


class RunTimeoutError(NoAnswerError):
    """A run of Flyway timed out and was ended; changes that it committed remain."""


@dataclass(frozen=True)
class FlywayRun:
    """The output of a run of Flyway, with paths on this machine."""

    exit_code: int
    output: str
    log: str


class Runner(Protocol):
    """Runs Flyway for one database."""

    @property
    def database(self) -> str:
        """The database's name in errors."""

    @property
    def leaves_nothing(self) -> bool:
        """Whether a read-only run leaves nothing behind in AWS: no image, no task definition."""

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> FlywayRun:
        """Run Flyway and wait until it ends.

        Args:
            operations: Flyway's commands, in order; `answer.result_of` finds the result of each.
            ignore: Patterns of migrations that `validate` ignores.

        Raises:
            ConfigurationError: A setting is wrong; Flyway did not run.
            Refused: Flyway could not be started.
            NoAnswerError: Flyway started, but did not end in time, or its output is lost.
        """

    def history(self) -> History:
        """Return the rows of the history table, if there is one; raise `Refused` if it cannot be reached."""

    def schema(self) -> str | None:
        """Return what the database holds, as statements; None if it cannot be asked from this machine."""

    def sizes(self) -> Mapping[str, int] | None:
        """Return how large the tables are (`table_sizes`); None if they cannot be asked from this machine."""


def run_process(
    argv: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str],
    seconds: float,
    clean_up: Callable[[], None],
    name: str,
) -> FlywayRun:
    """Run a process and return its output; it is killed if it takes too long or is interrupted.

    Args:
        argv: The command line, without secrets.
        seconds: Real seconds that it may take.
        clean_up: Called after it was killed, to end what it left behind.

    Raises:
        OSError: It could not be started.
        RunTimeoutError: It timed out.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        cwd=folder,
        env=dict(variables),
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - allocates nothing between fork and exec
    )
    with process:
        try:
            output, log = process.communicate(timeout=seconds)
        except BaseException as error:
            process.kill()
            process.wait()
            clean_up()
            if isinstance(error, subprocess.TimeoutExpired):
                raise timed_out(name, seconds) from error
            raise
    return FlywayRun(process.returncode, output, log)


def timed_out(name: str, seconds: float) -> RunTimeoutError:
    """Return the error for a run that timed out."""
    return RunTimeoutError(
        f"{name} took longer than database.migrate_timeout ({seconds:g} s) and was stopped",
        hint="something may hold a lock: see pg_stat_activity",
    )
