"""What went wrong, where, what was changed so far, and what to run next.

Every error that a user may see is an `OpsError`; it owns its exit code (the table is in the README),
and one place, the task decorator, prints it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExitCode(IntEnum):
    """The exit code of a command."""

    SUCCEEDED = 0
    UNEXPECTED = 1
    USAGE = 2
    REFUSED = 3
    ROLLED_BACK = 4
    NEEDS_A_PERSON = 5
    WAITING = 6
    INTERRUPTED = 130
    TERMINATED = 143


class OpsError(Exception):
    """An error with its cause, what was changed before it, and a remedy.

    Args:
        message: What went wrong, with the file and key path or the AWS call.
        hint: The next command to run, or the setting to change.
        changed: What had been changed when it happened; empty when nothing was.
        details: Further lines for the failure screen (stopped reasons, log lines).
        failure: The same as data, for JSON and summaries (`docs/events.md`).
    """

    exit_code: ExitCode = ExitCode.UNEXPECTED

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        changed: str = "",
        details: tuple[str, ...] = (),
        failure: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.changed = changed
        self.details = details
        self.failure = failure or {}
        for line in details:  # tracebacks show them, for example those of tests
            self.add_note(line)


class ConfigurationError(OpsError):
    """Wrong usage or configuration; nothing was changed."""

    exit_code = ExitCode.USAGE


class Refused(OpsError):
    """A gate refused before anything was changed."""

    exit_code = ExitCode.REFUSED


class DeploymentFailed(OpsError):
    """The deployment failed and was rolled back (or never started): the service is safe."""

    exit_code = ExitCode.ROLLED_BACK


class PersonNeeded(OpsError):
    """The rollback failed or the state is unknown."""

    exit_code = ExitCode.NEEDS_A_PERSON


class WaitingForPerson(OpsError):
    """The deployment is paused or inconclusive and waits for a decision."""

    exit_code = ExitCode.WAITING
