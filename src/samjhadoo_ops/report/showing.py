"""Which views a run gets: a live panel; a file of events; GitHub's summary, annotations and outputs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from samjhadoo_ops.console import Console

SUMMARISED = frozenset({"deploy", "watch", "rollback", "rehearse"})
"""Verbs whose end is worth a summary."""
EVENTS = "SAMJHADOO_EVENTS"
"""Names a file for the run's events."""


@contextmanager
def showing(console: Console, verb: str, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Show what the console is told in every form that is wanted, and give the terminal back at the end.

    Args:
        console: The run's.
        verb: The task's name.
        variables: The process's environment.

    """
    variables = os.environ if variables is None else variables
    attach(console, verb, variables)
    try:
        yield
    finally:
        console.close()


def attach(console: Console, verb: str, variables: Mapping[str, str]) -> None:
    """Attach the views that a run gets."""
    if console.mode == "live":
        from samjhadoo_ops.report.live import LiveView, possible

        if possible(console.err):
            console.attach(LiveView(console.err, colour=console.colour, elapsed=lambda: console.elapsed))
    _attach_files(console, variables)
    if variables.get("GITHUB_ACTIONS") == "true":
        from samjhadoo_ops.report.annotations import Annotations
        from samjhadoo_ops.report.escaping import harmless

        console.guard = harmless
        if verb in SUMMARISED:
            console.attach(Annotations(console.err, verb=verb))
    if variables.get("GITHUB_STEP_SUMMARY") and verb in SUMMARISED:
        from samjhadoo_ops.report.summary import Summary

        console.attach(
            Summary(
                Path(variables["GITHUB_STEP_SUMMARY"]),
                verb=verb,
                elapsed=lambda: console.elapsed,
                complain=partial(console.event, "unreported"),
            )
        )


def _attach_files(console: Console, variables: Mapping[str, str]) -> None:
    """Attach what every verb writes for others to read."""
    complain = partial(console.event, "unreported")
    if variables.get(EVENTS):
        from samjhadoo_ops.report.event_file import EventFile

        console.attach(EventFile(Path(variables[EVENTS]), complain=complain))
    if variables.get("GITHUB_OUTPUT"):
        from samjhadoo_ops.report.outputs import Outputs

        console.attach(Outputs(Path(variables["GITHUB_OUTPUT"]), complain=complain))
