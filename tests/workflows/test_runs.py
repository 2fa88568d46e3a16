"""Every `run:` line of the workflows, executed: a tag goes to staging and production, and comes back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from workflow_runner import ROOT, TIMEOUT, WORKFLOWS, Job, Runner, load, run_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARTS = ("environments", "localstack", "docker", "tasks.py", ".gitignore")
# Stands for uv: the project that is installed is the one that is tested.
UV = """\
#!/bin/sh
echo "$0 $*" >> {log}
case "$1" in
  venv) mkdir -p .venv/bin ;;
  pip) printf '#!/bin/sh\\nexec {python} -m invoke "$@"\\n' > .venv/bin/invoke; chmod +x .venv/bin/invoke ;;
esac
"""
UVX = '#!/bin/sh\nprintf "%s\\n" "$@" >> {log}\n'


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Developer", "-c", "user.email=developer@example.com")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def make_checkout(folder: Path) -> None:
    """Make a project whose environments staging and production are local stacks."""
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    local = (ROOT / "environments" / "local.toml").read_text()
    shorter = local.replace("[deployment]\n", '[deployment]\nbake_time = "5m"\n')
    for name in ("staging", "production"):
        own = shorter.replace("samjhadoo/local/", f"samjhadoo/{name}/")
        (folder / "environments" / f"{name}.toml").write_text(own)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")


@dataclass
class Pipeline:
    """What became of one release after the other."""

    runner: Runner
    staging: Path
    production: Path
    first: str = ""
    second: str = ""
    jobs: dict[str, Job] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def run(self, key: str, workflow: str, name: str, **options: Any) -> Job:
        self.jobs[key] = job = self.runner.job(workflow, name, **options)
        return job

    def note(self, key: str, folder: Path) -> None:
        """Keep what a stack serves now."""
        try:
            with urllib.request.urlopen(f"{url(folder)}/api/v1/version", timeout=10) as answer:
                self.served[key] = json.load(answer)["version"]
        except (OSError, StopIteration) as error:  # the tests say what that means
            self.served[key] = repr(error)


def url(folder: Path) -> str:
    state = json.loads(next((folder / ".samjhadoo").rglob("stack.json")).read_text())
    return str(state["endpoints"]["production"])


def events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def when_tasks_start(folder: Path) -> Any:
    """Return what cancels a run as GitHub does, SIGINT to the step's process, once new tasks start."""

    def interrupt(process: subprocess.Popen[str]) -> None:
        path = folder / "events.jsonl"
        deadline = time.monotonic() + TIMEOUT
        while '"SCALING_UP"' not in (path.read_text() if path.exists() else ""):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)

    return interrupt


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Take a tag through the whole pipeline, with two rollbacks and a cancelled run."""
    folder = tmp_path_factory.mktemp("workflows")
    staging, production, path = folder / "staging", folder / "production", folder / "bin"
    path.mkdir()
    program(path / "uv", UV.format(log=folder / "uv.log", python=sys.executable))
    staging.mkdir()
    make_checkout(staging)
    git(folder, "clone", "--quiet", str(staging), str(production))
    runner = Runner({"staging": staging, "production": production}, path, folder / "files")
    made = Pipeline(runner, staging, production, first=git(staging, "rev-parse", "HEAD"))
    before = subprocess.Popen(
        [sys.executable, "-m", "invoke", "deploy", "--env", "production"],
        cwd=production,
        env=runner.machine(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _release(made, before)
        yield made
    finally:
        before.kill()
        before.communicate()
        for checkout, name in ((staging, "staging"), (production, "production")):
            command = [sys.executable, "-m", "invoke", "stack.down", "--env", name]
            subprocess.run(command, cwd=checkout, env=runner.machine(), check=False, capture_output=True)


def _release(made: Pipeline, before: subprocess.Popen[str]) -> None:
    """Tag a second release and let the workflows do the rest."""
    dockerfile = made.staging / "docker" / "backend" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "LABEL second=1\n")
    git(made.staging, "commit", "--quiet", "--all", "--message", "Second")
    made.second = git(made.staging, "rev-parse", "HEAD")
    image = made.run("build", "deploy.yml", "build").outputs.get("image", "")
    made.run("staging", "deploy.yml", "staging", needs={"build": {"outputs": {"image": image}}})
    made.note("staging", made.staging)
    said, _ = before.communicate(timeout=TIMEOUT)
    assert before.returncode == 0, said
    made.note("before", made.production)
    git(made.production, "pull", "--quiet")
    _go_to_production(made, image)


def _go_to_production(made: Pipeline, image: str) -> None:
    folder = made.production

    def canary(key: str, **options: Any) -> dict[str, Any]:
        (folder / "events.jsonl").unlink(missing_ok=True)  # another run, another machine
        job = made.run(key, "production.yml", "canary", inputs={"image": image}, **options)
        made.events[key] = events(folder)
        made.note(key, folder)
        return {"canary": {"outputs": job.outputs}}

    def promote(key: str, needs: dict[str, Any]) -> None:
        made.run(key, "production.yml", "promote", needs=needs)

    def back(key: str, deployment: str) -> None:
        inputs = {"environment": "production", "reason": "too slow", "deployment": deployment}
        made.run(key, "rollback.yml", "rollback", inputs=inputs)
        made.events[key] = events(folder)
        made.note(key, folder)

    canary("cancelled", interrupt=when_tasks_start(folder))
    needs = canary("canary that is taken back")
    result = next(event for event in made.events["canary that is taken back"] if event["event"] == "result")
    back("rollback while it runs", result["deployment"])
    promote("promote after a rollback", needs)
    needs = canary("canary")
    promote("promote", needs)
    made.note("promote", folder)
    back("rollback afterwards", "")


def digests(folder: Path, version: str) -> list[str]:
    """Return the digests that an environment's registry has of a version."""
    edge = json.loads(next((folder / ".samjhadoo").rglob("stack.json")).read_text())["endpoints"]["aws"]
    request = urllib.request.Request(f"{edge}/v2/samjhadoo/backend/manifests/{version}", method="HEAD")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [answer.headers["Docker-Content-Digest"]]


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
    assert pipeline.second in staging.step("Smoke test").log
    assert pipeline.second in staging.step("Show the history").log


def test_production_stops_at_the_canary_until_it_is_approved(pipeline: Pipeline) -> None:
    canary = pipeline.jobs["canary"]
    assert canary.result == "success", canary.told
    assert canary.outputs["outcome"] == "canary"
    assert canary.outputs["deploy"]
    step = canary.step("Deploy until the canary")
    assert {"acts_at", "deployment", "reattach"} <= step.outputs.keys()
    assert "::notice title=deploy%3A canary::" in step.log
    assert "10 %" in canary.step("Show how it stands").log


def test_after_the_approval_it_is_promoted(pipeline: Pipeline) -> None:
    promote = pipeline.jobs["promote"]
    assert promote.result == "success", promote.told
    assert promote.step("Attend the deployment to its end").outputs["outcome"] == "succeeded"
    assert "## ✅ watch: succeeded" in promote.step("Attend the deployment to its end").summary
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
    told = job.step("Fail, unless it waits for a person")
    assert told.code == (int(known or 1) if result == "failure" else 0)


def test_a_release_that_was_rolled_back_fails_the_job_and_says_so(pipeline: Pipeline) -> None:
    job = pipeline.jobs["promote after a rollback"]
    assert job.result == "failure"
    assert job.step("Fail, unless it waits for a person").code == 4
    assert (
        "::error title=watch%3A rolled back (exit code 4)" in job.step("Attend the deployment to its end").log
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
    assert job.step("Show how it stands").outcome == "success"
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


def invoke(pipeline: Pipeline, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=pipeline.production,
        env=pipeline.runner.machine(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


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
        *("lint", "typecheck", "tests", "tests"),
        *("integration(stack='embedded')", "integration(stack='containers')"),
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
