from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.environment import Environment, load_environment
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Project:
    """A copy of this project's settings that a test may spoil."""

    root: Path

    def edit(self, name: str, pattern: str, replacement: str) -> None:
        """Replace one line's text; the pattern must be there."""
        path = self.root / "environments" / f"{name}.toml"
        text, count = re.subn(pattern, replacement, path.read_text(), count=1, flags=re.MULTILINE)
        assert count == 1, pattern
        path.write_text(text)

    def append(self, name: str, text: str) -> None:
        with (self.root / "environments" / f"{name}.toml").open("a") as file:
            file.write(text)

    def load(self, name: str = "local", variables: Mapping[str, str] | None = None) -> Environment:
        return load_environment(name, root=self.root, variables=variables or {})

    def refusal(self, name: str = "local", variables: Mapping[str, str] | None = None) -> list[str]:
        """Return the problems that loading reports."""
        with pytest.raises(ConfigurationError) as caught:
            self.load(name, variables)
        return list(caught.value.details) or [caught.value.message]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    shutil.copytree(ROOT / "environments", tmp_path / "environments")
    return Project(tmp_path)
