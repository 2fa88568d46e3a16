"""A process and its descendants."""

from __future__ import annotations

import subprocess
import sys

import psutil

from samjhadoo_emulator.ecs.runtime.child import process_tree

GRANDCHILD = "import time; print(1, flush=True); time.sleep(60)"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GRANDCHILD!r}])"


def test_descendants_are_found() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        expected = [process.pid, *(each.pid for each in psutil.Process(process.pid).children(recursive=True))]
        found = process_tree(process.pid)
        assert [each.pid for each in found] == expected
        assert len(found) == 2
        for each in reversed(found):
            each.kill()


def test_a_process_that_has_ended_has_no_family() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert process_tree(process.pid) == []
