from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_registry import FakeRegistry

from samjhadoo_emulator.clock import Clock
from samjhadoo_emulator.service import Host

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    fake = FakeRegistry()
    yield fake
    fake.close()


@pytest.fixture
def host(tmp_path: Path, registry: FakeRegistry) -> Host:
    return Host(
        account="123456789012",
        clock=Clock(minute=0.2, origin=time.time()),
        data_dir=tmp_path / "data",
        edge_url=registry.url,
        environment={"SAMJHADOO_STACK_ID": "test"},
    )
