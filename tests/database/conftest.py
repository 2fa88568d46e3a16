from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from real_services import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from real_services import PostgresServer


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL 14."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def recorded() -> Callable[[str], str]:
    """What the real Flyway 12.4 printed."""
    folder = Path(__file__).parent / "answers"
    return lambda name: (folder / f"{name}.json").read_text()
