from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from samjhadoo_ops import stack
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.processes import free_port
from samjhadoo_ops.stack import guard, lifecycle
from samjhadoo_ops.stack.state import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from samjhadoo_ops.environment import Environment
    from samjhadoo_ops.stack.state import StackState

REPOSITORY = Path(__file__).parents[2]


@dataclass
class Teller:
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
    console: Teller = field(default_factory=Teller)

    @property
    def places(self) -> Places:
        return Places(self.root)

    @property
    def state(self) -> StackState:
        found = lifecycle.find(self.env)
        assert found is not None
        return found

    def up(self) -> stack.Endpoints:
        return stack.up(self.env, self.console)

    def down(self) -> bool:
        return stack.down(self.env, self.console)

    def pid(self, name: str) -> int:
        return next(process.pid for process in stack.status(self.env).processes if process.name == name)

    def processes(self) -> list[int]:
        return guard.members(self.places.mark)

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


def make_project(root: Path, *, seeded: bool) -> Project:
    (root / "environments").symlink_to(REPOSITORY / "environments")
    if seeded:
        (root / "localstack").symlink_to(REPOSITORY / "localstack")
    ports = ("EDGE", "POSTGRES", "REDIS", "PRODUCTION", "TEST")
    variables = {f"SAMJHADOO_STACK__{name}_PORT": str(free_port()) for name in ports}
    return Project(root, load_environment("local", root=root, variables=variables), variables)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Iterator[Project]:
    """A running stack with its seeds, shared by the tests of a module."""
    project = make_project(tmp_path_factory.mktemp("seeded"), seeded=True)
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
def until() -> Callable[[Callable[[], bool], float], None]:
    def wait(condition: Callable[[], bool], limit: float) -> None:
        deadline = time.monotonic() + limit
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
