from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import reaper

if TYPE_CHECKING:
    from pathlib import Path

RUN = f"of the reaper's test {os.getpid()}"


@pytest.mark.parametrize(
    ("signum", "command"),
    [
        pytest.param(signal.SIGTERM, "echo; exec sleep 60", id="asked"),
        pytest.param(signal.SIGKILL, "trap '' TERM; echo; while :; do sleep 0.05; done", id="killed"),
    ],
)
def test_what_a_killed_pytest_left_is_ended_and_its_folder_removed(
    tmp_path: Path, signum: signal.Signals, command: str
) -> None:
    (tmp_path / "scratch").mkdir()
    left = subprocess.Popen(
        ["sh", "-c", command], env={**os.environ, reaper.MARK: RUN}, stdout=subprocess.PIPE
    )
    assert left.stdout is not None
    left.stdout.readline()
    assert [each.pid for each in reaper.marked(RUN)] == [left.pid]
    argv = [sys.executable, reaper.__file__, RUN, str(tmp_path / "scratch"), "--patience", "0.5"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        process.communicate(timeout=60)  # as the kernel does when pytest ends
    assert left.wait(60) == -signum
    left.stdout.close()
    assert reaper.marked(RUN) == []
    assert not (tmp_path / "scratch").exists()
