"""What all tests share: the Docker engine, the record of AWS calls, and that the longest files begin."""

from __future__ import annotations

import functools
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / "recording"))

import policy_check

from samjhadoo_emulator.testing import eventually as wait_until
from samjhadoo_ops import redaction
from samjhadoo_ops.engine import EngineUnavailable, connect
from samjhadoo_ops.testing.plugin import refuse_or_skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# How fast examples are made and tried depends on what else the machine does.
settings.register_profile("any-speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-speed")

# A shell that starts the tests with `&` has them, and their children, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_secrets_of_other_tests() -> Iterator[None]:
    """Forget what a test registers as a secret: it would be masked in the texts of the next."""
    before = set(redaction._secrets)
    yield
    redaction._secrets.intersection_update(before)


STACKS = Path(__file__).parent / "integration"
DURATIONS = "durations/files"
"""Where pytest's cache holds the seconds that each file of tests took last."""


class LongestFirst:
    """Begins with the files that took longest the last time, so that workers end together.

    What has never run comes before: first the files with fixtures of their own, which start something.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._cache = config.cache
        self._is_worker = hasattr(config, "workerinput")
        # All workers have to collect in the same order, whatever is written to the cache meanwhile.
        known = config.workerinput if self._is_worker else {DURATIONS: self._cache.get(DURATIONS, {})}
        self.before: dict[str, float] = known[DURATIONS]
        self._now: dict[str, float] = {}

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[DURATIONS] = self.before

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        starting = {_file(item.nodeid) for item in items if _has_fixture_of_its_module(item)}

        def order(item: pytest.Item) -> tuple[float, bool]:
            file = _file(item.nodeid)
            return -self.before.get(file, float("inf")), file not in starting

        items.sort(key=order)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = _file(report.nodeid)
        self._now[file] = self._now.get(file, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        if not self._is_worker:
            self._cache.set(DURATIONS, {**self.before, **self._now})


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _has_fixture_of_its_module(item: pytest.Item) -> bool:
    found = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
    return any(each.scope == "module" for definitions in found for each in definitions)


def pytest_addoption(parser: pytest.Parser) -> None:
    policy_check.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(LongestFirst(config))
    policy_check.start(config)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of whole stacks."""
    for item in items:
        if item.path.is_relative_to(STACKS):
            item.add_marker(pytest.mark.integration)


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
