"""A copy of the user's project with a local stack of its own, which a rehearsal may change."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, OpsError
from samjhadoo_ops.task_process import TaskProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.rehearsal.scenario import CandidateChanges

_IGNORED = shutil.ignore_patterns(
    ".git", ".venv", ".nox", ".samjhadoo", "__pycache__", "node_modules", ".*_cache"
)
_GIT = (
    "git",
    "-c",
    "user.name=Rehearsal",
    "-c",
    "user.email=rehearsal@localhost",
    "-c",
    "commit.gpgsign=false",
)


@dataclass
class Project:
    """The copy of a project.

    Attributes:
        own: Environment variables that override those of this process.
        settings: Settings that override those of the environment's files, by key path.
    """

    folder: Path
    name: str
    own: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    _commands: list[TaskProcess] = field(default_factory=list)

    @classmethod
    def copy(cls, root: Path, folder: Path, name: str, own: Mapping[str, str]) -> Self:
        """Copy a project into a new git repository, without what was built, or raise `ConfigurationError`."""
        try:
            _copy(root, folder)
        except OSError as error:
            raise ConfigurationError(f"the project cannot be copied for the rehearsal: {error}") from error
        project = cls(folder, name, dict(own))
        project._git("init", "--quiet")
        # Otherwise `withdraw` would remove the files of the running stack.
        exclude = folder / ".git" / "info" / "exclude"
        exclude.parent.mkdir(exist_ok=True)
        exclude.write_text(".samjhadoo/\n")
        project.commit("The running release")
        return project

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of its tasks."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {
            **inherited,
            **self.own,
            **{_variable(key): _text(value) for key, value in self.settings.items()},
        }

    def environment(self) -> Environment:
        """Return its settings; raise `ConfigurationError` if they are not valid."""
        return load_environment(self.name, root=self.folder, variables=self.variables)

    def start(self, *arguments: str) -> TaskProcess:
        """Start a task."""
        argv = [sys.executable, "-m", "invoke", *arguments, "--env", self.name, "--json"]
        command = TaskProcess(argv, self.folder, variables=self.variables, read_errors=True)
        self._commands.append(command)
        return command

    def invoke(self, *arguments: str) -> TaskProcess:
        """Run a task until it succeeds or fails; raise `OpsError` if it does not end and is killed."""
        command = self.start(*arguments)
        command.wait()
        return command

    def apply(self, release: CandidateChanges) -> None:
        """Turn the working copy into the candidate; raise `ConfigurationError` if that is not possible."""
        env = self.environment()
        if release.environment:
            self._add_variables(env, release.environment)
        if release.dockerfile:
            dockerfile = self.folder / env.build.context / env.build.dockerfile
            with dockerfile.open("a", encoding="utf-8") as file:
                file.write("".join(f"\n{line}" for line in release.dockerfile) + "\n")
        for name, text in release.migrations.items():
            (self.folder / env.database.migrations[0] / Path(name).name).write_text(text, encoding="utf-8")
        self.commit("The candidate")

    def withdraw(self) -> None:
        """Turn the working copy back into the previous release."""
        self._git("reset", "--quiet", "--hard", "HEAD~1")

    def commit(self, message: str) -> None:
        """Commit all changes; without any, an empty commit."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)

    def close(self) -> None:
        """End the running tasks and the stack."""
        for command in self._commands:
            if command.code is None:
                command.signal(signal.SIGKILL)
                command.wait(10)
        self.settings = {}
        self.invoke("stack.down")

    def _add_variables(self, env: Environment, variables: Mapping[str, str]) -> None:
        path = env.service.task_definition
        file = self.folder / path
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            containers = [
                each for each in document["containerDefinitions"] if each["name"] == env.service.container
            ]
            others = [each for each in containers[0].get("environment", []) if each["name"] not in variables]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ConfigurationError(
                f"{path}: the candidate's variables cannot be added: {error!r}"
            ) from error
        added = [{"name": name, "value": value} for name, value in variables.items()]
        containers[0]["environment"] = [*others, *added]
        file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")

    def _git(self, *arguments: str) -> None:
        try:
            subprocess.run([*_GIT, *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise ConfigurationError("git is needed for rehearsals: releases are commits") from error
        except subprocess.CalledProcessError as error:
            raise OpsError(f"git {arguments[0]} failed: {error.stderr.strip()}") from error


def _variable(path: str) -> str:
    return "SAMJHADOO_" + "__".join(part.upper() for part in path.split("."))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _copy(root: Path, folder: Path) -> None:
    """Copy a tree, without what is gone by then: editors and tests make and remove files all the time."""
    try:
        shutil.copytree(root, folder, ignore=_IGNORED, symlinks=True, dirs_exist_ok=True)
    except shutil.Error as error:
        left = [each for each in error.args[0] if os.path.lexists(each[0])]
        if left:
            raise shutil.Error(left) from error
