from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from samjhadoo_ops import stack
from samjhadoo_ops.engine import PROJECT, leftovers
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.stack import lifecycle, watchdog
from samjhadoo_ops.stack.state import StackPaths
from samjhadoo_ops.testing import stack_on_free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.state import StackState

REPOSITORY = Path(__file__).parents[2]
IMAGES = "SAMJHADOO_STACK__IMAGES__"


@dataclass
class RecordingConsole:
    """A console that remembers."""

    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        self.lines.append(text)


@dataclass
class Project:
    """A project with a stack of its own, on ports of its own."""

    root: Path
    env: Environment
    variables: dict[str, str]
    console: RecordingConsole = field(default_factory=RecordingConsole)

    @property
    def paths(self) -> StackPaths:
        return StackPaths(self.root)

    @property
    def state(self) -> StackState:
        found = lifecycle.find(self.env)
        assert found is not None
        return found

    def up(self) -> stack.StackEndpoints:
        return stack.up(self.env, self.console)

    def down(self) -> bool:
        return stack.down(self.env, self.console)

    def pid(self, name: str) -> int:
        return next(process.pid for process in stack.status(self.env).processes if process.name == name)

    def processes(self) -> list[int]:
        return watchdog.members(self.paths.mark)

    def sockets(self) -> set[tuple[str, int]]:
        """Return where the stack's processes listen."""
        pids = set(self.processes())
        return {
            (connection.laddr.ip, connection.laddr.port)
            for connection in psutil.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN and connection.pid in pids
        }

    def seconds_until_gone(self, *, limit: float) -> float:
        """Return how long it took until no process was left."""
        began = time.monotonic()
        while self.processes() and time.monotonic() - began < limit:
            time.sleep(0.02)
        return time.monotonic() - began


def make_project(root: Path, *, seeded: bool, kind: str = "embedded") -> Project:
    (root / "environments").symlink_to(REPOSITORY / "environments")
    if seeded:
        for folder in ("docker", "infrastructure", "localstack"):
            (root / folder).symlink_to(REPOSITORY / folder)
    images = {name: value for name, value in os.environ.items() if name.startswith(IMAGES)}
    variables = {**stack_on_free_ports(), **images, "SAMJHADOO_STACK": kind}
    if not seeded:
        variables["SAMJHADOO_INFRASTRUCTURE__STACKS"] = "[]"
    return Project(root, load_environment("local", root=root, variables=variables), variables)


@pytest.fixture(scope="module", params=["embedded", pytest.param("containers", marks=pytest.mark.containers)])
def seeded(tmp_path_factory, request) -> Iterator[Project]:
    """A running stack with its seeds, of each kind, shared by the tests of a module."""
    if request.param == "containers":
        request.getfixturevalue("engine")
    project = make_project(tmp_path_factory.mktemp("seeded"), seeded=True, kind=request.param)
    project.up()
    yield project
    project.down()


@pytest.fixture
def bare(tmp_path) -> Iterator[Project]:
    """A project without seeds, whose stack starts in a second; a test may do to it what it likes."""
    project = make_project(tmp_path, seeded=False)
    yield project
    project.down()
    assert project.processes() == []


@pytest.fixture
def contained(tmp_path, engine) -> Iterator[Project]:
    """As `bare`, with a stack of containers."""
    project = make_project(tmp_path, seeded=False, kind="containers")
    yield project
    project.down()
    assert project.processes() == []
    assert in_engine(engine, project) == []


def in_engine(engine: Any, project: Project) -> list[str]:
    """Return what the engine has of a project's stacks."""
    return [str(each.name) for each in leftovers(engine, {PROJECT: project.paths.mark})]
