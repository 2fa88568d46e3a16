"""pytest's fixtures of a local AWS, which is started once for the session.

`emulator` is one in which no fault is in force at the start of a test; resources stay. Override the fixture
`emulator_options` (scope `session`) to start it differently: it returns keyword arguments of
`running_emulator`.

`shared_emulator` returns an emulator as after a fresh start, for tests that need several kinds, or nothing of
the tests before: `shared_emulator(minute=0.05, runtime="noop")`. There is one for each set of options, and it
is reset whenever it is asked for.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing.emulator import running_emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture(scope="session")
def shared_emulator() -> Iterator[Callable[..., Emulator]]:
    """Return an emulator of these options (those of `running_emulator`), as after a fresh start."""
    with ExitStack() as running:
        started: dict[Any, Emulator] = {}

        def find(*options: str, **settings: Any) -> Emulator:
            key = (options, *sorted(settings.items()))
            if key in started:
                started[key].reset()
            else:
                started[key] = running.enter_context(running_emulator(*options, **settings))
            return started[key]

        yield find
