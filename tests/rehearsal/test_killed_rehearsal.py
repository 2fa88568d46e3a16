"""A rehearsal that is killed: its stack ends too."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.stack import watchdog
from samjhadoo_ops.stack.state import StackPaths

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux reports how another process ended")
def test_a_killed_rehearsal_leaves_no_stack(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "invoke", "rehearse", "--scenario", "failing-health"]
    variables = {**os.environ, "TMPDIR": str(tmp_path), "SAMJHADOO_STACK": "embedded"}
    with subprocess.Popen(argv, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL) as rehearsal:
        (state,) = eventually(
            lambda: list(tmp_path.glob("samjhadoo-rehearsal-*/project/.samjhadoo/local/stack.json"))
        )
        paths = StackPaths(state.parents[2])
        assert watchdog.members(paths.mark)
        rehearsal.kill()
    eventually(lambda: not watchdog.members(paths.mark))
