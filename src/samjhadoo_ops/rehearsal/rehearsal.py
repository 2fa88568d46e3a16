"""A rehearsal: scenarios that are played one after another on a local stack of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.errors import OpsError
from samjhadoo_ops.rehearsal.project import Project
from samjhadoo_ops.rehearsal.scenario_run import ScenarioResult, ScenarioRun
from samjhadoo_ops.stack.planning import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.console import Console
    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.rehearsal.scenario import Scenario

PASSED, FAILED = "passed", "FAILED"
COLUMNS = ("Scenario", "Verdict", "Exit", "Serving", "Requests", "Failed", "Detect", "Restore", "Seconds")
SHOWN = ("Scenario", "Verdict", "Exit", "Failed requests", "Detect", "Restore")
"""The columns for people, with times in real seconds."""


@dataclass
class Rehearsal:
    """Plays scenarios in a copy of a project.

    Args:
        env: An environment that has a local stack.
        console: Shows the progress.
        keep: Leave the copy and its stack for inspection.
        retries: How often a failed scenario is repeated, on a fresh stack.
    """

    env: Environment
    console: Console
    keep: bool = False
    retries: int = 0

    def run(self, scenarios: Iterable[Scenario]) -> list[ScenarioResult]:
        """Play scenarios; return the result of each try, or raise `OpsError` if the first deploy fails."""
        played, scenarios = [], list(scenarios)
        self.console.line(
            f"{len(scenarios)} scenarios, each of about half a minute; to end them earlier: Ctrl-C"
        )
        with self._project() as project:
            fresh = False
            waiting = [(scenario, self.retries) for scenario in scenarios]
            while waiting:
                scenario, retries = waiting.pop(0)
                if scenario.release.migrations and fresh:  # migrations cannot be undone
                    self._clear(project)
                    fresh = False
                if not fresh:
                    self._prepare(project)
                self.console.event("scenario", f"{scenario.name}: {scenario.title}", name=scenario.name)
                one = ScenarioRun(project, scenario, self.console).run()
                played.append(one)
                self._show(one)
                if not one.passed and retries:
                    waiting.insert(0, (scenario, retries - 1))
                fresh = one.passed and not scenario.release.migrations
                if not fresh:
                    self._clear(project)
        return played

    @contextmanager
    def _project(self) -> Iterator[Project]:
        folder = Path(tempfile.mkdtemp(prefix="samjhadoo-rehearsal-"))
        folder.chmod(0o711)  # PostgreSQL may run as another user below it
        # The stack ends with the rehearsal, however that ends.
        own = {} if self.keep else {OWNER: str(os.getpid())}
        project = Project.copy(self.env.root, folder / "project", self.env.name, own)
        try:
            yield project
        finally:
            if self.keep:
                self.console.line(f"kept the rehearsal's project and stack: {project.folder}")
            else:
                project.close()
                shutil.rmtree(folder, ignore_errors=True)

    def _prepare(self, project: Project) -> None:
        """Deploy the release before the candidate."""
        self.console.line(
            "starting a stack and deploying the release before the candidate: about half a minute"
        )
        deploy = project.invoke("deploy", "--yes")
        if deploy.code != 0:
            raise OpsError(
                f"the release before the candidate could not be deployed: {deploy.result.get('message', '')}",
                details=tuple(deploy.output.splitlines()[-20:]),
            )

    def _clear(self, project: Project) -> None:
        project.invoke("stack.down")

    def _show(self, played: ScenarioResult) -> None:
        verdict = PASSED if played.passed else FAILED
        self.console.event(
            "played",
            f"{played.scenario.name}: {verdict} after {played.seconds:.0f} s",
            name=played.scenario.name,
            passed=played.passed,
            problems=list(played.problems),
        )
        for problem in played.problems if self.console.mode != "json" else ():
            self.console.line(f"  {problem}")


def failed_for_good(played: Iterable[ScenarioResult]) -> list[ScenarioResult]:
    """Return the last try of each scenario that failed in all of them."""
    last = {each.scenario.name: each for each in played}
    return [each for each in last.values() if not each.passed]


def row(played: ScenarioResult) -> tuple[str, ...]:
    """Return a row of the results table."""
    observed = played.observed
    verdict = PASSED if played.passed else FAILED
    if observed is None:
        return (played.scenario.name, verdict, "", "", "", "", "", "", f"{played.seconds:.0f}")
    expected = played.scenario.expect
    return (
        played.scenario.name,
        verdict,
        _compared(expected.exit_code, observed.exit_code),
        _compared(expected.serving, observed.release),
        str(observed.requests),
        str(observed.failed),
        "" if observed.detect is None else str(observed.detect),
        "" if observed.restore is None else str(observed.restore),
        f"{played.seconds:.0f}",
    )


def for_people(played: ScenarioResult, clock: Clock) -> tuple[str, ...]:
    """Return a row of `SHOWN`."""
    name, verdict, code, *_ = row(played)
    observed = played.observed
    if observed is None:
        return (name, verdict, code, "", "", "")
    times = [
        "" if each is None else f"{clock.real(each):.1f} s" for each in (observed.detect, observed.restore)
    ]
    return (name, verdict, code, f"{observed.failed} of {observed.requests}", *times)


def _compared(expected: object, observed: object) -> str:
    if expected is None or expected == observed:
        return str("" if observed is None else observed)
    return f"{observed}, not {expected}"
