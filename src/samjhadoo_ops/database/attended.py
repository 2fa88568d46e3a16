"""Running a process that is Flyway, or starts it, to its end or its time-out."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from samjhadoo_ops.database.runner import Run, RunTimeoutError
from samjhadoo_ops.processes import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


def run(
    argv: Sequence[str],
    *,
    folder: Path,
    variables: Mapping[str, str],
    seconds: float,
    broken: Callable[[], None],
    name: str,
) -> Run:
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
    return Run(process.returncode, output, log)


def timed_out(name: str, seconds: float) -> RunTimeoutError:
    """Return the error of a run that took too long."""
    return RunTimeoutError(
        f"{name} took longer than database.migrate_timeout ({seconds:g} s) and was ended",
        hint="something may hold a lock: see pg_stat_activity",
    )
