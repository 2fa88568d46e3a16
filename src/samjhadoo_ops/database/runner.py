"""How Flyway is run: by its command line, from its image, or as a task in the cluster."""

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
    """Flyway began, and what it answered is not known; what it had committed stands."""


class RunTimeoutError(NoAnswerError):
    """A run of Flyway took longer than it may, and was ended; what it had committed stands."""


@dataclass(frozen=True)
class FlywayRun:
    """What a run of Flyway printed; paths in it are this machine's."""

    exit_code: int
    output: str
    log: str


class Runner(Protocol):
    """Runs Flyway for one database."""

    @property
    def database(self) -> str:
        """The database, as errors call it."""

    @property
    def leaves_nothing(self) -> bool:
        """Whether a run that only looks leaves nothing behind at AWS: no image, no task definition."""

    def run(self, *operations: str, ignore: Sequence[str] = ()) -> FlywayRun:
        """Run Flyway to its end.

        Args:
            operations: Flyway's commands, run one after the other; `answer.result_of` finds each one's.
            ignore: Patterns of migrations that `validate` does not object to.

        Raises:
            ConfigurationError: A setting is wrong; Flyway did not run.
            Refused: Flyway could not be started.
            NoAnswerError: It began and did not end, or its answer is lost.

        """

    def history(self) -> History:
        """Return what the history table holds; empty when there is none.

        Raises:
            Refused: The database does not answer.

        """


def run_process(
    argv: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str],
    seconds: float,
    broken: Callable[[], None],
    name: str,
) -> FlywayRun:
    """Run a process and return what it printed; one that takes too long or is interrupted is killed.

    Args:
        argv: The command line; it holds no secret.
        folder: Where it runs.
        variables: Its environment.
        seconds: Real seconds it may take.
        broken: Called when it was killed, to end what it may have left.
        name: What it does, for errors.

    Raises:
        OSError: It could not be started.
        RunTimeoutError: It took longer.

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
            broken()
            if isinstance(error, subprocess.TimeoutExpired):
                raise timed_out(name, seconds) from error
            raise
    return FlywayRun(process.returncode, output, log)


def timed_out(name: str, seconds: float) -> RunTimeoutError:
    """Return the error of a run that took too long."""
    return RunTimeoutError(
        f"{name} took longer than database.migrate_timeout ({seconds:g} s) and was ended",
        hint="something may hold a lock: see pg_stat_activity",
    )
