"""What holds for all tests: nothing that they start or write outlives them, even when pytest is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import reaper

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = ("test_main_job", "test_live", "test_schema", "test_lifecycle", "test_canary")
MOST_WORKERS = 4
"""There are not more files that take long."""

GRACE = 20.0
"""Seconds in which the last processes may end, and their folders be removed, by themselves."""


@pytest.fixture(scope="session", autouse=True)
def _nothing_outlives_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Mark what the tests start, give it a temporary folder, and see that both are empty at the end."""
    tmp_path_factory.getbasetemp()  # stays where users look for it
    run, folder = uuid.uuid4().hex, Path(tempfile.mkdtemp(prefix="samjhadoo-tests-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user below it
    command = [sys.executable, reaper.__file__, run, str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(reaper.MARK, run)
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", str(folder))
        yield
    left = _left(run, folder)
    process.communicate()
    assert left == []


def _left(run: str, folder: Path) -> list[str]:
    """Return the processes and files that are left, once the last ones have had time to go."""
    deadline = time.monotonic() + GRACE
    while True:
        found = [f"{each.pid} {each.name()}" for each in reaper.marked(run)] + [*map(str, folder.iterdir())]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files, so that workers end at about the same time."""
    order = {stem: place for place, stem in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests wait more than they compute."""
    return min(MOST_WORKERS, (os.cpu_count() or 1) + 1)
