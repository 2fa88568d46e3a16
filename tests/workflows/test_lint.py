"""The workflows pass actionlint (with shellcheck) and zizmor, and hold to rules of their own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from workflow_expressions import EXPRESSION
from workflow_runner import ROOT, WORKFLOWS, load, run_lines

FILES = sorted((ROOT / ".github").rglob("*.yml"))
# `nox -s tests` puts actionlint into the folder that this names.
PATH = os.pathsep.join(
    filter(None, [os.environ.get("SAMJHADOO_TOOLS"), str(Path(sys.executable).parent), os.environ["PATH"]])
)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def tool(name: str) -> str:
    """Return a program's path; where it is missing a test is skipped, and fails in CI."""
    found = shutil.which(name, path=PATH)
    if found is None:
        missing = f"{name} is not installed: nox -s tests gets it"
        if os.environ.get("CI"):
            pytest.fail(missing, pytrace=False)
        pytest.skip(missing)
    return found


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_and_shellcheck_find_nothing() -> None:
    files = [str(path) for path in sorted(WORKFLOWS.glob("*.yml"))]
    run(tool("actionlint"), "-no-color", "-shellcheck", tool("shellcheck"), *files)


def test_zizmor_finds_nothing() -> None:
    run(tool("zizmor"), "--offline", "--quiet", "--no-progress", "--persona", "pedantic", ".github")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_of_others_are_pinned_by_commit_with_their_version(path: Path) -> None:
    for used in re.findall(r"uses: (.+)", path.read_text()):
        assert used.startswith("./.github/") or PINNED.fullmatch(used), used


def test_no_expression_stands_in_a_run_line() -> None:
    assert [line for _, _, line in run_lines() if EXPRESSION.search(line)] == []


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_job_may_do_little_and_not_for_ever(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        told = job["permissions"]
        takes_a_role = any(
            "configure-aws-credentials" in str(step.get("uses")) for step in job.get("steps", [])
        )
        allowed = {"contents": "read"} | ({"id-token": "write"} if takes_a_role or "uses" in job else {})
        assert told == allowed, name
        assert "uses" in job or job["timeout-minutes"] <= 360, name
        assert not takes_a_role or job["environment"], name


def test_no_deploy_is_cancelled_by_another_and_no_rollback_waits_for_one() -> None:
    deploy, rollback = load(WORKFLOWS / "deploy.yml"), load(WORKFLOWS / "rollback.yml")
    limits = [job["concurrency"] for job in deploy["jobs"].values()] + [rollback["concurrency"]]
    assert [limit["cancel-in-progress"] for limit in limits] == [False] * len(limits)
    groups = [limit["group"] for limit in limits]
    assert len(set(groups)) == len(groups)


def test_commands_that_change_something_hear_when_the_run_is_cancelled() -> None:
    """GitHub tells only a step's first process: with `exec` that is the command itself."""
    changing = re.compile(r"invoke (?:push|deploy|watch|rollback)\b")
    lines = [line for _, _, line in run_lines() if changing.search(line)]
    assert len(lines) == 5
    assert all(line.startswith("exec ") for line in lines)
