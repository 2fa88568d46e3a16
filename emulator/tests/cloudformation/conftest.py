"""What the tests of CloudFormation share."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stack_flows import Flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.testing import Emulator


@pytest.fixture
def flow(noop_emulator: Emulator) -> Iterator[Flow]:
    """Return the stacks of an emulator; they are deleted after the test."""
    flow = Flow(noop_emulator)
    yield flow
    noop_emulator.faults.clear()
    flow.clear()
