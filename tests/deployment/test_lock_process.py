from __future__ import annotations

import os
import subprocess
import sys

import pytest

from samjhadoo_ops.deployment.lock import is_gone, kernel_id
from samjhadoo_ops.processes import start_time

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_runs_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    assert not is_gone(kernel_id(), child.pid, start_time(child.pid))
    assert not is_gone(kernel_id(), os.getpid(), start_time(os.getpid()))


def test_a_killed_process_is_gone_even_before_its_parent_has_waited_for_it(
    child: subprocess.Popen[bytes],
) -> None:
    started = start_time(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # a zombie now
    assert is_gone(kernel_id(), child.pid, started)


def test_another_process_with_the_same_id_is_not_the_one(child: subprocess.Popen[bytes]) -> None:
    assert is_gone(kernel_id(), child.pid, str(int(start_time(child.pid)) - 1))


@pytest.mark.parametrize("where", ["", "another host's boot pid:[1]"], ids=["unknown", "another-kernel"])
def test_no_process_of_another_kernel_is_declared_dead(child: subprocess.Popen[bytes], where: str) -> None:
    child.kill()
    child.wait()
    assert not is_gone(where, child.pid, "1")
