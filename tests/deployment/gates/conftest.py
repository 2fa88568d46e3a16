from __future__ import annotations

import sys
from pathlib import Path

import pytest

from samjhadoo_ops.environment import Environment, load_environment

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def env() -> Environment:
    """The project's local environment."""
    return load_environment("local", root=Path(__file__).parents[3], variables={})


@pytest.fixture(scope="session")
def production() -> Environment:
    """The project's production environment."""
    return load_environment("production", root=Path(__file__).parents[3], variables={})
