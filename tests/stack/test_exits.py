from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from samjhadoo_ops.processes import is_running, start_time
from samjhadoo_ops.stack import exits, watchdog


@pytest.fixture
def sleeper():
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def test_a_process_and_a_later_one_with_its_id_differ_by_their_start(sleeper):
    started = start_time(sleeper.pid)
    assert started
    assert is_running(sleeper.pid, started)
    assert not is_running(sleeper.pid, str(float(started) - 1))


def test_a_zombie_is_not_running(sleeper, eventually):
    sleeper.kill()
    eventually(lambda: start_time(sleeper.pid) == "")


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
def test_the_signal_that_ended_a_process_is_known(command, signum, reaped, eventually):
    process = subprocess.Popen(command)
    started = start_time(process.pid)
    descriptor = exits.watch(process.pid, started) if started else os.pidfd_open(process.pid)
    assert descriptor is not None
    if signum:
        process.send_signal(signum)
    eventually(lambda: start_time(process.pid) == "")
    if reaped:
        process.wait()
        if not _reports_reaped():
            pytest.skip("this kernel reports nothing of a process that was waited for")
    assert exits.ending_signal(descriptor, process.pid) == signum
    process.wait()
    os.close(descriptor)


def test_a_process_with_another_start_is_not_watched(sleeper):
    assert exits.watch(sleeper.pid, "-1") is None


def test_the_sweep_kills_the_marked_processes_and_no_others(sleeper):
    marked = [
        subprocess.Popen(["sleep", "60"], env={**os.environ, watchdog.MARKER: f"testmark-{number}"})
        for number in range(2)
    ]
    assert set(watchdog.members("testmark-")) == {process.pid for process in marked}
    assert watchdog.members("testmark-1") == [marked[1].pid]
    assert watchdog.sweep("testmark-", spare=frozenset({marked[0].pid})) == []
    assert marked[1].wait(30) == -signal.SIGKILL
    assert marked[0].poll() is None
    assert watchdog.sweep("testmark-") == []
    assert marked[0].wait(30) == -signal.SIGKILL
    assert sleeper.poll() is None


@pytest.mark.parametrize(
    ("last_byte", "survives"), [(watchdog.ORDERLY, True), (b"", False)], ids=["orderly", "killed"]
)
def test_the_watchdog_kills_the_stack_unless_the_supervisor_ended_in_order(last_byte, survives, tmp_path):
    folders = [tmp_path / "scratch", tmp_path / "samjhadoo-testwatchdog-1-envoy-x"]
    for folder in folders:
        folder.mkdir()
    marked = subprocess.Popen(["sleep", "60"], env={**os.environ, watchdog.MARKER: "testwatchdog-1"})
    command = [sys.executable, "-S", "-E", watchdog.__file__, "testwatchdog-1", str(folders[0]), ""]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path)})
    process.communicate(last_byte, timeout=30)
    assert (marked.poll() is None) == survives or marked.wait(30) == -signal.SIGKILL
    assert [folder.exists() for folder in folders] == [survives, survives]
    marked.kill()
    marked.wait()


def _reports_reaped() -> bool:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2]) >= (6, 15)
