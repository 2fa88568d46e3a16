"""A copy of the user's project, with a local stack of its own, in which a rehearsal may do as it likes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, OpsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.rehearsal.scenario import CandidateChanges

LONGEST = 600.0
"""Real seconds after which a command that has not ended is killed."""

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


class Command:
    """A task that runs in a process group of its own; its output is read while it runs."""

    def __init__(self, argv: list[str], folder: Path, variables: Mapping[str, str]) -> None:
        self.title = " ".join(argv[3:])
        self.events: list[dict[str, Any]] = []
        self._errors: list[str] = []
        self._process = subprocess.Popen(
            argv,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read_events, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs; negative when a signal ended it."""
        return self._process.poll()

    def has_told(self, event: str) -> bool:
        """Tell whether it has told of an event."""
        return any(each.get("event") == event for each in self.events)

    @property
    def result(self) -> dict[str, Any]:
        """The result it told; empty when it told none."""
        last = self.events[-1] if self.events else {}
        return last if last.get("event") == "result" else {}

    @property
    def told(self) -> str:
        """All that it told, for people to read."""
        lines = [str(each.get("message", "")) for each in self.events]
        details = [str(detail) for each in self.events for detail in each.get("details", ())]
        return "\n".join([*lines, *details, *self._errors])

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal; one that has ended gets none."""
        if self.code is None:
            self._process.send_signal(signum)

    def wait(self, seconds: float = LONGEST) -> int:
        """Wait until it ends.

        Raises:
            OpsError: It did not; it was killed.

        """
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise OpsError(
                f"invoke {self.title} had not ended after {seconds:g} s and was killed",
                details=tuple(self.told.splitlines()[-20:]),
            ) from None
        for reader in self._readers:
            reader.join(10)
        return self._process.returncode

    def _read_events(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        with self._process.stdout as output:
            for line in output:
                try:
                    document = json.loads(line)
                except ValueError:
                    self._errors.append(line.rstrip("\n"))
                else:
                    self.events.append(document)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - it was asked for
        with self._process.stderr as output:
            self._errors.extend(line.rstrip("\n") for line in output)


@dataclass
class Project:
    """A project of the rehearsal's own.

    Attributes:
        folder: Its root.
        name: The environment's name.
        own: Variables over those of this process.
        settings: Settings over those of the environment's files, by key path.

    """

    folder: Path
    name: str
    own: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    _commands: list[Command] = field(default_factory=list)

    @classmethod
    def copy(cls, root: Path, folder: Path, name: str, own: Mapping[str, str]) -> Self:
        """Copy a project, without what was built or installed in it, into a git repository of its own.

        Raises:
            ConfigurationError: It can't be copied, or there is no git.

        """
        try:
            shutil.copytree(root, folder, ignore=_IGNORED, symlinks=True, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise ConfigurationError(f"the project can't be copied for the rehearsal: {error}") from error
        project = cls(folder, name, dict(own))
        project._git("init", "--quiet")
        project.commit("The release that serves")
        return project

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of its commands."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {**kept, **self.own, **{_variable(key): _text(value) for key, value in self.settings.items()}}

    def environment(self) -> Environment:
        """Return its settings.

        Raises:
            ConfigurationError: They are wrong.

        """
        return load_environment(self.name, root=self.folder, variables=self.variables)

    def start(self, *arguments: str) -> Command:
        """Start a task."""
        argv = [sys.executable, "-m", "invoke", *arguments, "--env", self.name, "--json"]
        command = Command(argv, self.folder, self.variables)
        self._commands.append(command)
        return command

    def invoke(self, *arguments: str) -> Command:
        """Run a task to its end, whatever that is.

        Raises:
            OpsError: It doesn't end.

        """
        command = self.start(*arguments)
        command.wait()
        return command

    def apply(self, release: CandidateChanges) -> None:
        """Make the working copy the candidate.

        Raises:
            ConfigurationError: The task definition can't be changed.

        """
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
        """Take the candidate back: the working copy is the release before."""
        self._git("reset", "--quiet", "--hard", "HEAD~1")

    def commit(self, message: str) -> None:
        """Commit everything, also nothing."""
        self._git("add", "--all")
        self._git("commit", "--quiet", "--allow-empty", "--message", message)

    def close(self) -> None:
        """End what runs: commands, and the stack."""
        for command in self._commands:
            if command.code is None:
                command.signal(signal.SIGKILL)
                command.wait(10)
        self.settings = {}
        self.invoke("stack.down")

    def _add_variables(self, env: Environment, variables: Mapping[str, str]) -> None:
        where = env.service.task_definition
        file = self.folder / where
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
            containers = [
                each for each in document["containerDefinitions"] if each["name"] == env.service.container
            ]
            kept = [each for each in containers[0].get("environment", []) if each["name"] not in variables]
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ConfigurationError(
                f"{where}: the candidate's variables can't be added: {error!r}"
            ) from error
        added = [{"name": name, "value": value} for name, value in variables.items()]
        containers[0]["environment"] = [*kept, *added]
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
