from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from samjhadoo_ops.processes import LOOPBACK, die_with_parent, free_port, free_ports, listen

PARENT = """
import subprocess, sys, time
from samjhadoo_ops.processes import die_with_parent
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], preexec_fn=die_with_parent())
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child when its parent ends")
def test_a_child_dies_with_a_parent_that_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        # The pipe's other end is the child's too: its end is the end of file.
        assert parent.stdout.read() == ""
    deadline = time.monotonic() + 30
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not _runs(child)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_a_child_can_run_as_another_user():
    run = subprocess.run(
        ["/bin/sh", "-c", "id -u; id -g; id -G"],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
        preexec_fn=die_with_parent(uid=65534, gid=65534),
    )
    assert run.stdout.strip() == "65534\n65534\n65534"


def test_a_port_that_is_free_is_kept():
    port = free_port()
    assert free_port(port) == port


def test_free_ports_are_all_different():
    port = free_port()
    ports = free_ports(port, port, *[0] * 20)
    assert ports[0] == port
    assert len(set(ports)) == len(ports)


def test_a_taken_port_is_replaced_by_a_free_one():
    with listen() as taken:
        port = taken.getsockname()[1]
        assert free_port(port) not in (0, port)
        with listen(port) as other:
            assert other.getsockname()[1] != port


def test_sockets_listen_on_loopback_only():
    with listen() as listener:
        assert listener.getsockname()[0] == LOOPBACK
        with socket.create_connection(listener.getsockname(), timeout=30):
            pass


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIG_DFL)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rpartition(")")[2].split()[0] != "Z"
