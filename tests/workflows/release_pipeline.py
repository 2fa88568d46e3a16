"""A project whose staging and production are local stacks, and a release that goes through all workflows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workflow_runner import TIMEOUT, Job, Runner

from user_project import QUICK, git, user_project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from user_project import UserProject

# Stands for uv: the project that is installed is the one that is tested.
UV = """\
#!/bin/sh
echo "$0 $*" >> {log}
case "$1" in
  venv) mkdir -p .venv/bin ;;
  pip) printf '#!/bin/sh\\nexec {python} -m invoke "$@"\\n' > .venv/bin/invoke; chmod +x .venv/bin/invoke ;;
esac
"""


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def name_environments(folder: Path) -> None:
    """Have environments staging and production that are local stacks."""
    local = (folder / "environments" / "local.toml").read_text()
    for name in ("staging", "production"):
        own = local.replace("samjhadoo/local/", f"samjhadoo/{name}/")
        (folder / "environments" / f"{name}.toml").write_text(own)


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
    state = json.loads(next((folder / ".samjhadoo").glob("*/stack.json")).read_text())
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


@contextmanager
def released(folder: Path) -> Iterator[Pipeline]:
    """Take a tag through the whole pipeline, with two rollbacks and a cancelled run."""
    path = folder / "bin"
    path.mkdir()
    program(path / "uv", UV.format(log=folder / "uv.log", python=sys.executable))
    with ExitStack() as running:

        def project(name: str) -> UserProject:
            (folder / name).mkdir()
            return running.enter_context(
                user_project(folder / name, prepare=name_environments, environment=name)
            )

        with ThreadPoolExecutor() as pool:
            staging, production = pool.map(project, ("staging", "production"))
        production.git("fetch", "--quiet", str(staging.folder), "HEAD")
        production.git("reset", "--quiet", "--hard", "FETCH_HEAD")
        folders = {"staging": staging.folder, "production": production.folder}
        runner = Runner(folders, path, folder / "files", variables=QUICK)
        made = Pipeline(runner, staging.folder, production.folder, first=staging.git("rev-parse", "HEAD"))
        _release(made, production.start("deploy", "--env", "production", CI="true"))
        yield made


def _release(made: Pipeline, before: subprocess.Popen[str]) -> None:
    """Tag a second release and let the workflows do the rest."""
    dockerfile = made.staging / "docker" / "backend" / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text() + "LABEL second=1\n")
    git(made.staging, "commit", "--quiet", "--all", "--message", "Second")
    made.second = git(made.staging, "rev-parse", "HEAD")
    image = made.run("build", "deploy.yml", "build").outputs.get("image", "")
    made.run("staging", "deploy.yml", "staging", needs={"build": {"outputs": {"image": image}}})
    made.note("staging", made.staging)
    _, said = before.communicate(timeout=TIMEOUT)
    assert before.returncode == 0, said
    made.note("before", made.production)
    git(made.production, "pull", "--quiet", str(made.staging), "HEAD")
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


def invoke(pipeline: Pipeline, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=pipeline.production,
        env=pipeline.runner.machine(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def digests(folder: Path, version: str) -> list[str]:
    """Return the digests that an environment's registry has of a version."""
    edge = json.loads(next((folder / ".samjhadoo").glob("*/stack.json")).read_text())["endpoints"]["aws"]
    request = urllib.request.Request(f"{edge}/v2/samjhadoo/backend/manifests/{version}", method="HEAD")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return [answer.headers["Docker-Content-Digest"]]
