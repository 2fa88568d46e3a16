"""A runner that executes the `run:` lines of workflows as GitHub's does, against local stacks."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from workflow_expressions import Context, holds, interpolate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github" / "workflows"
TIMEOUT = 240
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")  # GitHub's `shell: bash`


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def run_lines() -> Iterator[tuple[str, str, str]]:
    """Yield where every `run:` stands: the file, the job (empty in an action) and the line itself."""
    for path in sorted((ROOT / ".github").rglob("*.yml")):
        document = load(path)
        groups = {name: job.get("steps", []) for name, job in document.get("jobs", {}).items()}
        groups[""] = document.get("runs", {}).get("steps", [])
        for job, steps in groups.items():
            for step in steps:
                if "run" in step:
                    yield path.relative_to(ROOT / ".github").as_posix(), job, step["run"]


@dataclass
class Step:
    """How a step ended: `outcome` before continue-on-error, `conclusion` after it."""

    name: str
    outcome: str = "skipped"
    conclusion: str = "skipped"
    code: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    log: str = ""


@dataclass
class Job:
    result: str = "success"
    outputs: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def told(self) -> str:
        return "\n".join(f"{step.name}: {step.outcome} {step.code}\n{step.log}" for step in self.steps)


@dataclass
class Runner:
    """Runs jobs of the workflows.

    Attributes:
        folders: The checkout in which jobs of an environment run; "" for jobs without one.
        path: A folder of commands that stand before those of this machine.
        variables: Of the runner, beside GitHub's own.
        ran: Every `run:` line that was executed: file, job, line.

    """

    folders: dict[str, Path]
    path: Path
    files: Path
    variables: dict[str, str] = field(default_factory=dict)
    vars: dict[str, str] = field(default_factory=dict)
    ran: set[tuple[str, str, str]] = field(default_factory=set)
    count: int = 0

    def job(
        self,
        workflow: str,
        name: str,
        *,
        interrupt: Callable[[subprocess.Popen[str]], None] | None = None,
        **contexts: dict[str, Any],
    ) -> Job:
        """Run a job to its end.

        Args:
            workflow: Its file.
            name: The job.
            interrupt: Cancels the run while a step with an id runs.
            contexts: `needs`, `inputs`, `matrix`, `github`.

        """
        document = load(WORKFLOWS / workflow)
        told = document["jobs"][name]
        known = self._contexts(contexts)
        job = Job()
        if not holds(told.get("if"), known | _status(job)):
            return Job("skipped")
        environment = interpolate(told.get("environment"), known)
        known["env"] = Context(self._laid(document.get("env"), {}, known))
        known["env"] = Context(self._laid(told.get("env"), known["env"], known))
        for step in told["steps"]:
            self._step((workflow, name), step, job, known, self.folders[environment], interrupt)
        job.outputs = {key: interpolate(value, known) for key, value in told.get("outputs", {}).items()}
        return job

    def _step(
        self,
        where: tuple[str, str],
        step: dict[str, Any],
        job: Job,
        known: dict[str, Any],
        folder: Path,
        interrupt: Callable[[subprocess.Popen[str]], None] | None,
    ) -> None:
        done = Step(step.get("name", step.get("uses", "")))
        job.steps.append(done)
        if not holds(step.get("if"), known | _status(job) | {"hashFiles": _hash_files(folder)}):
            pass
        elif step.get("uses", "").startswith("./"):
            action = step["uses"].removeprefix("./.github/") + "/action.yml"
            for inner in load(ROOT / ".github" / action)["runs"]["steps"]:
                self._step((action, ""), inner, job, known, folder, None)
            done.outcome = done.conclusion = "success"
        elif "run" in step:
            variables = {**known["env"], **self._laid(step.get("env"), {}, known)}
            self._run(step["run"], done, variables, folder, interrupt if "id" in step else None)
            file = where[0] if where[0].startswith("actions/") else f"workflows/{where[0]}"
            self.ran.add((file, where[1], step["run"]))
            done.conclusion = "success" if step.get("continue-on-error") else done.outcome
            if done.conclusion != "success":
                job.result = done.conclusion
        else:
            done.outcome = done.conclusion = "success"  # an action of others: GitHub's alone to run
        if "id" in step:
            known["steps"][step["id"]] = Context(
                outcome=done.outcome, conclusion=done.conclusion, outputs=Context(done.outputs)
            )

    def _run(
        self,
        script: str,
        done: Step,
        variables: dict[str, str],
        folder: Path,
        interrupt: Callable[[subprocess.Popen[str]], None] | None,
    ) -> None:
        self.count += 1
        place = self.files / f"{self.count}"
        place.mkdir(parents=True)
        files = {
            name: place / name.lower() for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ENV")
        }
        for path in files.values():
            path.touch()
        (place / "script.sh").write_text(script)
        process = subprocess.Popen(
            [*SHELL, str(place / "script.sh")],
            cwd=folder,
            env={**self.machine(), **variables, **{name: str(path) for name, path in files.items()}},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if interrupt is not None:
            interrupt(process)
        done.log, _ = process.communicate(timeout=TIMEOUT)
        done.code = process.returncode
        done.outcome = "success" if done.code == 0 else "failure" if interrupt is None else "cancelled"
        done.summary = files["GITHUB_STEP_SUMMARY"].read_text()
        lines = files["GITHUB_OUTPUT"].read_text().splitlines()
        done.outputs = {line.partition("=")[0]: line.partition("=")[2] for line in lines}

    def machine(self) -> dict[str, str]:
        """Return the variables that a runner's machine has."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "SAMJHADOO_", "GITHUB_")) or name == "SAMJHADOO_CACHE"
        }
        return {
            **kept,
            "PATH": os.pathsep.join([str(self.path), kept["PATH"]]),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_ACTOR": "octocat",
            "GITHUB_REPOSITORY": "samjhadoo/backend",
            "GITHUB_RUN_ID": "1",
            **self.variables,
        }

    def _contexts(self, given: dict[str, dict[str, Any]]) -> dict[str, Any]:
        names = ("needs", "inputs", "matrix")
        return {
            **{name: Context(given.get(name, {})) for name in names},
            "github": Context({"ref": "refs/tags/v1", "run_attempt": "1", **given.get("github", {})}),
            "vars": Context(self.vars),
            "steps": Context(),
            "runner": Context(os="Linux", arch="X64"),
        }

    def _laid(
        self, told: dict[str, Any] | None, over: dict[str, str], known: dict[str, Any]
    ) -> dict[str, str]:
        return {**over, **{name: interpolate(value, known) for name, value in (told or {}).items()}}


def _status(job: Job) -> dict[str, Callable[[], bool]]:
    return {
        "success": lambda: job.result == "success",
        "failure": lambda: job.result == "failure",
        "cancelled": lambda: job.result == "cancelled",
        "always": lambda: True,
    }


def _hash_files(folder: Path) -> Callable[..., str]:
    return lambda *patterns: "1" if any(any(folder.glob(pattern)) for pattern in patterns) else ""
