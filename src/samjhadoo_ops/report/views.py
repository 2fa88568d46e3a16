"""Choose the views of a run: live panel, event file, and GitHub's summary, annotations and outputs."""

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
"""Tasks whose result gets a summary."""
EVENTS = "SAMJHADOO_EVENTS"
"""The variable that names a file for the run's events."""


@contextmanager
def attached_views(console: Console, task: str, variables: Mapping[str, str] | None = None) -> Iterator[None]:
    """Attach the views that the environment variables select, and restore the terminal at the end.

    Args:
        console: The run's console.
        task: The task's name.
        variables: The process's environment variables.
    """
    variables = os.environ if variables is None else variables
    attach(console, task, variables)
    try:
        yield
    finally:
        console.close()


def attach(console: Console, task: str, variables: Mapping[str, str]) -> None:
    """Attach the views that the environment variables select."""
    if console.mode == "live":
        from samjhadoo_ops.report.live import LiveView, possible

        if possible(console.err):
            console.attach(LiveView(console.err, colour=console.colour, elapsed=lambda: console.elapsed))
    _attach_files(console, variables)
    if variables.get("GITHUB_ACTIONS") == "true":
        from samjhadoo_ops.report.annotations import Annotations
        from samjhadoo_ops.report.escaping import harmless

        console.escape = harmless
        if task in SUMMARISED:
            console.attach(Annotations(console.err, task=task))
    if variables.get("GITHUB_STEP_SUMMARY") and task in SUMMARISED:
        from samjhadoo_ops.report.summary import Summary

        console.attach(
            Summary(
                Path(variables["GITHUB_STEP_SUMMARY"]),
                task=task,
                elapsed=lambda: console.elapsed,
                complain=partial(console.event, "unreported"),
            )
        )


def _attach_files(console: Console, variables: Mapping[str, str]) -> None:
    """Attach the views that write files for every task."""
    if not {EVENTS, "GITHUB_OUTPUT"} & variables.keys():
        return
    from samjhadoo_ops.report.files import EventFile, StepOutputs

    complain = partial(console.event, "unreported")
    if variables.get(EVENTS):
        console.attach(EventFile(Path(variables[EVENTS]), complain=complain))
    if variables.get("GITHUB_OUTPUT"):
        console.attach(StepOutputs(Path(variables["GITHUB_OUTPUT"]), complain=complain))
