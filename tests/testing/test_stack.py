"""A whole stack for tests, of either kind, as a user's test suite has it."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.engine import PROJECT, leftovers
from samjhadoo_ops.stack import watchdog
from samjhadoo_ops.stack.state import StackPaths
from samjhadoo_ops.testing import running_stack
from user_project import QUICK

ROOT = Path(__file__).parents[2]
KINDS = ["embedded", pytest.param("containers", marks=pytest.mark.containers)]
DEPLOY = """
def test_a_release_is_deployed(local_stack):
    assert local_stack.invoke("deploy").code == 0
"""
SUITE = """
import redis, urllib.request
from samjhadoo_emulator.testing import LocalAws

def test_the_release_serves_and_redis_answers(local_stack):
    with urllib.request.urlopen(f"{local_stack.production}/health") as answer:
        assert answer.status == 200
    assert redis.Redis.from_url(local_stack.redis).ping()

def test_a_throttled_call_is_repeated(local_stack):
    LocalAws(local_stack.aws, local_stack.region).faults.throttle("ecs", rate=0.2)
    assert local_stack.invoke("status").code == 0

def test_faults_end_with_their_test(local_stack):
    assert LocalAws(local_stack.aws, local_stack.region).faults.in_force() == []
    print("kind:", local_stack.kind)
"""
OWNER_SCRIPT = """
import sys, time
from samjhadoo_ops.testing import running_stack
with running_stack(sys.argv[1], folder=sys.argv[2]) as stack:
    print("up", flush=True)
    sys.stdin.read()
"""


def documented() -> str:
    """Return the example of docs/stacks.md."""
    found = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "stacks.md").read_text(), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def variables(kind: str) -> dict[str, str]:
    return {**os.environ, **QUICK, "SAMJHADOO_STACK": kind}


@pytest.mark.parametrize("kind", KINDS)
def test_a_suite_gets_a_stack_from_the_fixture(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    if kind == "containers":
        request.getfixturevalue("engine")
    suite = tmp_path / "test_suite.py"
    suite.write_text((documented() if kind == "embedded" else DEPLOY) + SUITE)
    argv = [sys.executable, "-m", "pytest", "-q", "-s", f"--rootdir={ROOT}", "-c", os.devnull, str(suite)]
    argv += ["-p", "no:cacheprovider"]
    outcome = subprocess.run(
        argv, cwd=tmp_path, env=variables(kind), capture_output=True, text=True, timeout=400, check=False
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "4 passed" in outcome.stdout
    assert f"kind: {kind}" in outcome.stdout


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux reports how another process ended")
@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_suite_leaves_nothing(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    engine = request.getfixturevalue("engine") if kind == "containers" else None
    argv = [sys.executable, "-c", OWNER_SCRIPT, str(ROOT), str(tmp_path)]
    owner = subprocess.Popen(
        argv, env=variables(kind), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "up\n"
        paths = StackPaths(tmp_path)
        assert watchdog.members(paths.mark)
        owner.kill()
    eventually(lambda: not watchdog.members(paths.mark))
    ended = paths.read_ended()
    assert ended is not None
    assert ended.reason == f"the stack's owner ({owner.pid}) was killed by SIGKILL"
    if engine is not None:
        eventually(lambda: not leftovers(engine, {PROJECT: paths.mark}))


def test_the_stack_ends_with_the_block_even_if_that_fails(tmp_path: Path) -> None:
    mark = StackPaths(tmp_path).mark
    with contextlib.suppress(ZeroDivisionError), running_stack(ROOT, folder=tmp_path):
        assert watchdog.members(mark)
        raise ZeroDivisionError
    assert not watchdog.members(mark)
