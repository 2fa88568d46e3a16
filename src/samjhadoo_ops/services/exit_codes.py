"""The one exit code for several services."""

from __future__ import annotations

from typing import TYPE_CHECKING

from samjhadoo_ops.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SEVERE_FIRST = (
    ExitCode.NEEDS_A_PERSON,
    ExitCode.UNEXPECTED,
    ExitCode.TERMINATED,
    ExitCode.INTERRUPTED,
    ExitCode.ROLLED_BACK,
    ExitCode.WAITING,
    ExitCode.REFUSED,
    ExitCode.USAGE,
    ExitCode.SUCCEEDED,
)


def known(code: int) -> ExitCode:
    """Return a process's exit code as ours.

    A process that was killed (a negative code) leaves an unknown state.
    """
    if code < 0:
        return ExitCode.NEEDS_A_PERSON
    try:
        return ExitCode(code)
    except ValueError:
        return ExitCode.UNEXPECTED


def most_severe(codes: Iterable[int]) -> ExitCode:
    """Return the most severe of some exit codes; success if there are none."""
    found = {known(code) for code in codes}
    return next((code for code in MOST_SEVERE_FIRST if code in found), ExitCode.SUCCEEDED)
