from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.environment import Environment, load_environment
from samjhadoo_ops.infrastructure.stacks import Stacks, environment_stacks

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class StackProject:
    """A copy of this project's settings with templates of its own."""

    root: Path

    def template(self, name: str, text: str) -> None:
        folder = self.root / "infrastructure"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(dedent(text))

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        path = self.root / "environments" / f"{name}.toml"
        text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, pattern
        path.write_text(text)

    def append(self, name: str, text: str) -> None:
        with (self.root / "environments" / f"{name}.toml").open("a") as file:
            file.write(dedent(text))

    def load(self, name: str = "production", variables: Mapping[str, str] | None = None) -> Environment:
        return load_environment(name, root=self.root, variables=variables or {})

    def stacks(self, *names: str, environment: str = "production") -> Stacks:
        self.edit("base", r"^stacks = \[[^\]]*\]", f"stacks = {list(names)!r}".replace("'", '"'))
        return environment_stacks(self.load(environment))


def _without(found: re.Match[str]) -> str:
    return "[]" if found[0].startswith('"') else ""


@pytest.fixture
def project(tmp_path: Path) -> StackProject:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    for path in (tmp_path / "environments").glob("*.toml"):
        if path.stem != "base":  # tests name the stacks in base.toml
            path.write_text(
                re.sub(r"^stacks = .*\n|\"stack:\S+\"", _without, path.read_text(), flags=re.MULTILINE)
            )
    task_definition = Path("docker", "backend", "task-definition.json")
    (tmp_path / task_definition).parent.mkdir(parents=True)
    shutil.copy(ROOT / task_definition, tmp_path / task_definition)
    return StackProject(tmp_path)
