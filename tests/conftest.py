"""What all tests share: the Docker engine, and which tests begin (those that take longest)."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from samjhadoo_emulator.testing import eventually as wait_until
from samjhadoo_ops.engine import EngineUnavailable, connect
from samjhadoo_ops.testing.plugin import refuse_or_skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How fast examples are made and tried depends on what else the machine does.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")


STACKS = Path(__file__).parent / "integration"
LONGEST = (
    "test_runs",
    "test_task_live",
    "test_main_job",
    "test_killed_containers",
    "test_resume",
    "test_live",
    "test_restarts",
    "test_lifecycle",
    "test_several_services",
    "test_no_secret_is_told",
    "test_containers_stack",
    "test_rules_of_the_api",
    "test_schema",
    "test_canary",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole stacks, and put the files that take longest first."""
    for item in items:
        if item.path.is_relative_to(STACKS):
            item.add_marker(pytest.mark.integration)
    order = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def engine() -> Iterator[Any]:
    """A client (`docker.DockerClient`) of the Docker engine.

    Without an engine a test that asks for it is skipped; where containers are required
    (SAMJHADOO_CONTAINERS=required) and in CI it fails.
    """
    try:
        client = connect()
    except EngineUnavailable as error:
        refuse_or_skip(str(error))
    yield client
    client.close()


@pytest.fixture(scope="session")
def eventually() -> Callable[..., Any]:
    """Wait until a check gives something true, and return that; two minutes at most, unless told."""
    return functools.partial(wait_until, within=120.0)
