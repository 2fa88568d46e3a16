"""The pytest plugin, as a user's test suite has it."""

from __future__ import annotations

import subprocess
import sys

SUITE = """
import pytest

@pytest.fixture(scope="session")
def emulator_options():
    return {"runtime": "noop", "minute": 0.05}

def test_throttled(emulator):
    emulator.faults.throttle("ecs")
    assert emulator.faults.in_force()

def test_faults_end_with_their_test(emulator):
    assert emulator.faults.in_force() == []
    assert emulator.client("ecs").list_clusters()["clusterArns"] == []
    assert emulator.clock.minute == 0.05

def test_any_client_can_be_pointed_at_it(emulator):
    assert emulator.environment["AWS_ENDPOINT_URL"] == emulator.url

def test_a_shared_one_is_as_after_a_fresh_start(shared_emulator):
    for _ in range(2):
        found = shared_emulator(runtime="noop")
        assert found.client("ecs").list_clusters()["clusterArns"] == []
        found.client("ecs").create_cluster(clusterName="c")
    assert shared_emulator(runtime="noop", minute=0.05) is not found
"""


def run(tmp_path, *arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_suite_has_a_local_aws_by_asking_for_it(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    outcome = run(tmp_path, "-m", "pytest", "-q", "-p", "samjhadoo_emulator.testing.plugin", "-W", "error")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "4 passed" in outcome.stdout


def test_the_plugin_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, samjhadoo_emulator.testing.plugin;"
        "print(*({'boto3', 'botocore', 'moto', 'starlette', 'msgspec'} & set(sys.modules)))"
    )
    assert run(tmp_path, "-c", code).stdout.split() == []
