from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from deployment_fakes import MemoryObjects


@pytest.fixture
def objects() -> MemoryObjects:
    """A store with conditional writes, in memory."""
    return MemoryObjects()
