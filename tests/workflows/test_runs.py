"""Every `run:` line of the workflows, executed: a tag goes to staging and production, and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from release_pipeline import Pipeline, digests, invoke, program, released
from workflow_runner import ROOT, TIMEOUT, WORKFLOWS, Runner, load, run_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UVX = '#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\n'


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """What became of a tag in the whole pipeline, with two rollbacks and a cancelled run."""
    with released(tmp_path_factory.mktemp("workflows")) as made:
        yield made


def test_the_image_is_built_once_and_named_by_digest(pipeline: Pipeline) -> None:
    build = pipeline.jobs["build"]
    assert build.result == "success", build.told
    repository, _, digest = build.outputs["image"].partition("@")
    assert repository.endswith("/samjhadoo/backend")
    assert build.step("Set up JDK 17").outcome == "skipped"  # there is no ./gradlew
    assert digests(pipeline.staging, pipeline.second) == [digest]
    assert digests(pipeline.production, pipeline.second) == [digest]
    built = {path.name for path in (pipeline.production / ".samjhadoo" / "build").iterdir()}
    assert built == {pipeline.first}


def test_staging_runs_it_and_is_tested(pipeline: Pipeline) -> None:
    staging = pipeline.jobs["staging"]
    assert staging.result == "success", staging.told
    assert pipeline.served["staging"] == pipeline.second
    assert "## ✅ deploy: succeeded" in staging.step("Deploy").summary
    assert pipeline.second[:12] in staging.step("Smoke test").log
    assert pipeline.second[:12] in staging.step("Show the history").log


def test_production_stops_at_the_canary_until_it_is_approved(pipeline: Pipeline) -> None:
    canary = pipeline.jobs["canary"]
    assert canary.result == "success", canary.told
    assert canary.outputs["outcome"] == "canary"
    assert canary.outputs["deploy"]
    step = canary.step("Deploy until the canary")
    assert {"acts_at", "deployment", "reattach"} <= step.outputs.keys()
    assert "::notice title=deploy%3A canary::" in step.log
    assert "10 %" in canary.step("Show the status").log


def test_after_the_approval_it_is_promoted(pipeline: Pipeline) -> None:
    promote = pipeline.jobs["promote"]
    assert promote.result == "success", promote.told
    assert promote.step("Watch the deployment to its end").outputs["outcome"] == "succeeded"
    assert "## ✅ watch: succeeded" in promote.step("Watch the deployment to its end").summary
    assert promote.step("Smoke test").outcome == "success"
    assert (pipeline.served["before"], pipeline.served["promote"]) == (pipeline.first, pipeline.second)


@pytest.mark.parametrize(
    ("code", "known", "result", "smoke"),
    [
        pytest.param(0, "0", "success", "success", id="succeeded"),
        pytest.param(6, "6", "success", "skipped", id="waits-for-a-person"),
        pytest.param(5, "5", "failure", "skipped", id="needs-a-person"),
        pytest.param(9, "", "failure", "skipped", id="died"),
    ],
)
def test_only_waiting_for_a_person_is_no_failure(
    tmp_path: Path, code: int, known: str, result: str, smoke: str
) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    ended = f'[ "$1" = watch ] || exit 0\necho "exit_code={known}" >> "$GITHUB_OUTPUT"\nexit {code}\n'
    program(tmp_path / ".venv" / "bin" / "invoke", f"#!/bin/sh\n{ended}")
    program(tmp_path / "uv", "#!/bin/sh\n")
    runner = Runner({"production": tmp_path}, tmp_path, tmp_path / "files")
    needs = {"canary": {"outputs": {"outcome": "canary", "deploy": "1"}}}
    job = runner.job("production.yml", "promote", needs=needs)
    assert (job.result, job.step("Smoke test").outcome) == (result, smoke), job.told
    told = job.step("Fail unless the deployment waits for a person")
    assert told.code == (int(known or 1) if result == "failure" else 0)


def test_a_release_that_was_rolled_back_fails_the_job_and_says_so(pipeline: Pipeline) -> None:
    job = pipeline.jobs["promote after a rollback"]
    assert job.result == "failure"
    assert job.step("Fail unless the deployment waits for a person").code == 4
    assert (
        "::error title=watch%3A rolled back (exit code 4)" in job.step("Watch the deployment to its end").log
    )
    assert job.step("Smoke test").outcome == "skipped"
    assert job.step("Show the history").outcome == "success"


def test_a_rollback_stops_a_deployment_that_runs_and_goes_back_from_one_that_is_over(
    pipeline: Pipeline,
) -> None:
    for key, how in (("rollback while it runs", "stopped"), ("rollback afterwards", "redeployed")):
        job = pipeline.jobs[key]
        assert job.result == "success", job.told
        assert "## ✅ rollback: rolled back" in job.step("Roll back").summary
        assert pipeline.served[key] == pipeline.first, key
        assert any(event.get("how") == how for event in pipeline.events[key]), how


def test_a_cancelled_run_takes_its_deployment_back(pipeline: Pipeline) -> None:
    job = pipeline.jobs["cancelled"]
    assert job.result == "cancelled"
    assert job.step("Deploy until the canary").code == 130
    assert job.step("Show the status").outcome == "success"
    told = [event for event in pipeline.events["cancelled"] if event["event"] == "interrupted"]
    assert [event["phase"] for event in told] == ["ROLLED_BACK"]
    assert pipeline.served["cancelled"] == pipeline.first


@pytest.mark.parametrize("outcome", ["succeeded", "unchanged", ""])
def test_nothing_is_promoted_without_a_canary(tmp_path: Path, outcome: str) -> None:
    runner = Runner({"production": tmp_path}, tmp_path, tmp_path)
    needs = {"canary": {"outputs": {"outcome": outcome}}}
    assert runner.job("production.yml", "promote", needs=needs).result == "skipped"


def test_a_killed_deploy_of_an_image_is_resumed_with_that_image_whatever_stands_here(
    pipeline: Pipeline,
) -> None:
    folder = pipeline.production
    dockerfile = folder / "docker" / "backend" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "LABEL third=1\n")
    common = ("--env", "production", "--until", "canary", "--json")
    killed = invoke(pipeline, "deploy", "--image", pipeline.second, *common)
    for line in killed.stdout or ():
        if json.loads(line)["event"] == "deploy":
            killed.kill()
    killed.communicate(timeout=TIMEOUT)
    resumed = invoke(pipeline, "deploy", "--resume", *common)
    said, _ = resumed.communicate(timeout=TIMEOUT)
    result = json.loads(said.splitlines()[-1])
    assert (result["exit_code"], result.get("release")) == (0, pipeline.second), said


@pytest.fixture(scope="module")
def ci(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    """The jobs of CI, with uvx replaced by what writes down what it was asked for."""
    folder = tmp_path_factory.mktemp("ci")
    program(folder / "uvx", UVX.format(log=folder / "asked"))
    runner = Runner({"": folder}, folder, folder / "files")
    for name, job in load(WORKFLOWS / "ci.yml")["jobs"].items():
        for values in _matrix(job):
            assert runner.job("ci.yml", name, matrix=values).result == "success"
    return runner


def _matrix(job: dict[str, Any]) -> list[dict[str, str]]:
    axes = job.get("strategy", {}).get("matrix", {})
    return [{name: value} for name, values in axes.items() for value in values] or [{}]


def test_ci_runs_sessions_that_exist(ci: Runner) -> None:
    asked = (ci.path / "asked").read_text().split("--from\nnox[uv]\nnox\n-s\n")
    sessions = [name for call in asked for name in call.split()]
    assert sessions == [
        *("lint", "typecheck", "tests", "emulator", "tests", "emulator"),
        *("integration(stack='embedded')", "integration(stack='containers')"),
        *("rehearse", "rehearse"),
    ]
    listed = subprocess.run(
        [sys.executable, "-m", "nox", "--list", "--json", "-s", *sessions],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(sessions) <= {each["session"] for each in json.loads(listed.stdout)}


def test_what_the_workflows_install_exists(pipeline: Pipeline) -> None:
    asked = (pipeline.runner.path.parent / "uv.log").read_text().splitlines()
    assert {line.partition(" ")[2] for line in asked} == {"venv", "pip install --editable .[local]"}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "local" in project["optional-dependencies"]
    pythons = load(WORKFLOWS / "ci.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    assert pythons[0] == project["requires-python"].removeprefix(">=")


def test_every_run_line_of_every_workflow_is_executed(pipeline: Pipeline, ci: Runner) -> None:
    assert set(run_lines()) == pipeline.runner.ran | ci.ran
