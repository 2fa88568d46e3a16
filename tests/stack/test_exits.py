from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from samjhadoo_ops.stack import exits, guard


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_is_told_from_a_later_one_by_its_start(sleeper):
    since = exits.started(sleeper.pid)
    assert since is not None
    assert exits.is_alive(sleeper.pid, since)
    assert not exits.is_alive(sleeper.pid, since - 1)


def test_a_zombie_is_gone(sleeper, eventually):
    sleeper.kill()
    eventually(lambda: exits.started(sleeper.pid) is None)


needs_pidfd = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")


@needs_pidfd
@pytest.mark.parametrize("reaped", [False, True], ids=["zombie", "reaped"])
@pytest.mark.parametrize(
    ("command", "signum"),
    [
        pytest.param(["sleep", "60"], signal.SIGKILL, id="killed"),
        pytest.param(["sleep", "60"], signal.SIGTERM, id="terminated"),
        pytest.param(["sh", "-c", "sleep 1; exit 3"], None, id="exited"),
    ],
)
def test_it_is_told_how_a_process_ended(command, signum, reaped, eventually):
    process = subprocess.Popen(command)
    since = exits.started(process.pid)
    descriptor = exits.watch(process.pid, since) if since is not None else os.pidfd_open(process.pid)
    assert descriptor is not None
    if signum:
        process.send_signal(signum)
    eventually(lambda: exits.started(process.pid) is None)
    if reaped:
        process.wait()
        if not _tells_of_reaped():
            pytest.skip("this kernel tells nothing of a process that was waited for")
    assert exits.ending_signal(descriptor, process.pid) == signum
    process.wait()
    os.close(descriptor)


def test_a_process_with_another_start_is_not_watched(sleeper):
    assert exits.watch(sleeper.pid, -1.0) is None


def test_the_sweep_kills_what_carries_the_mark_and_nothing_else(sleeper):
    marked = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, guard.MARKER: f"testmark-{number}"})
        for number in range(2)
    ]
    assert set(guard.members("testmark-")) == {process.pid for process in marked}
    assert guard.members("testmark-1") == [marked[1].pid]
    assert guard.sweep("testmark-", spare=frozenset({marked[0].pid})) == []
    assert marked[1].wait(30) == -signal.SIGKILL
    assert marked[0].poll() is None
    assert guard.sweep("testmark-") == []
    assert marked[0].wait(30) == -signal.SIGKILL
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    ("farewell", "survives"), [(guard.ORDERLY, True), (b"", False)], ids=["orderly", "killed"]
)
def test_the_guard_kills_only_when_the_supervisor_did_not_say_goodbye(farewell, survives, tmp_path):
    folders = [tmp_path / "scratch", tmp_path / "samjhadoo-testguard-1-envoy-x"]
    for folder in folders:
        folder.mkdir()
    marked = subprocess.Popen(["sleep", "60"], env={**os.environ, guard.MARKER: "testguard-1"})
    command = [sys.executable, "-S", "-E", guard.__file__, "testguard-1", str(folders[0]), ""]
    guardian = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)})
    guardian.communicate(farewell, timeout=30)
    assert (marked.poll() is None) == survives or marked.wait(30) == -signal.SIGKILL
    assert [folder.exists() for folder in folders] == [survives, survives]
    marked.kill()
    marked.wait()


def _tells_of_reaped() -> bool:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)
