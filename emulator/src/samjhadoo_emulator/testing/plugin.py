"""pytest's fixture `emulator`: a local AWS, started once for the session.

No fault is in force at the start of a test.

Override the fixture `emulator_options` (scope `session`) to start it differently: it returns the keyword
arguments of `running_emulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing.emulator import running_emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_emulator.testing.emulator import Emulator


@pytest.fixture(scope="session")
def emulator_options() -> dict[str, Any]:
    """Return how the emulator is started: keyword arguments of `running_emulator`."""
    return {}


@pytest.fixture(scope="session")
def emulator_process(emulator_options: dict[str, Any]) -> Iterator[Emulator]:
    """Run an emulator for the whole session."""
    with running_emulator(**emulator_options) as emulator:
        yield emulator


@pytest.fixture
def emulator(emulator_process: Emulator) -> Iterator[Emulator]:
    """Return a running local AWS; faults end with the test, resources stay."""
    yield emulator_process
    emulator_process.faults.clear()
