"""Planted secrets are looked for in everything that the tool tells, writes down and starts."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from user_project import user_project

if TYPE_CHECKING:
    from collections.abc import Iterator

STRIPE = {"secret_key": "sk_test_plantedKey7391", "webhook_secret": "whsec_plantedHook7392"}
TOKEN = "tok-planted-7393"
INNER, PARAMETER = "inner-planted-7394", "param-planted-7395"
TALKATIVE = """import os
print(dict(os.environ), flush=True)
print("\\x1b]0;planted-title\\x07", os.environ["PLANTED"], os.environ["PARAMETER"], flush=True)
raise RuntimeError(os.environ["STRIPE_WEBHOOK_SECRET"] + os.environ["DATABASE"] + os.environ["API_TOKEN"])
"""


class Processes:
    """Everything that any process of this machine has in its command line while the block runs."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._done.wait(0.1):
            for line in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(line.read_text(errors="replace"))
                except OSError:
                    continue

    def __enter__(self) -> set[str]:
        self._thread.start()
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


def on_a_terminal(project: Any, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run a task on a terminal; return its exit code and what it drew."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=project.folder,
        env={**project.variables(variables), "TERM": "xterm-256color"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    drawn = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux's way to say that nobody writes any more
            part = b""
        if not part:
            break
        drawn += part
    os.close(master)
    return process.wait(60), drawn.decode(errors="replace")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, dict[str, str]]]:
    """A project on a stack whose secrets are known."""
    with user_project(tmp_path_factory.mktemp("planted")) as project:
        yield project, {**STRIPE, **plant(project), "token": TOKEN}


def plant(project: Any) -> dict[str, str]:
    """Make the stack's secrets and a token of the project known ones."""
    manager = project.client("secretsmanager")
    manager.put_secret_value(SecretId="samjhadoo/local/stripe", SecretString=json.dumps(STRIPE))
    database = json.loads(manager.get_secret_value(SecretId="samjhadoo/local/database")["SecretString"])
    template = project.folder / "docker" / "backend" / "task-definition.json"
    document = json.loads(template.read_text())
    container = document["containerDefinitions"][0]
    container["environment"].append({"name": "API_TOKEN", "value": TOKEN})
    stored = manager.create_secret(Name="planted", SecretString=json.dumps({"inner": [INNER]}))["ARN"]
    project.client("ssm").put_parameter(Name="/planted/key", Value=PARAMETER, Type="SecureString")
    container["secrets"] += [
        {"name": "PLANTED", "valueFrom": stored},
        {"name": "PARAMETER", "valueFrom": "/planted/key"},
    ]
    template.write_text(json.dumps(document))
    project.commit("Add a token")
    return {"database": database["password"], "inner": INNER, "parameter": PARAMETER}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_planted_secret_is_in_an_output_a_report_the_journal_or_a_command_line(
    planted: tuple[Any, dict[str, str]],
) -> None:
    project, secrets = planted
    told: dict[str, str] = {}
    summary = project.folder / "summary.md"
    events = project.folder / "events.jsonl"
    actions = {"SAMJHADOO_EVENTS": str(events), "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}

    def run(code: int, *arguments: str, **variables: str) -> None:
        done = project.invoke(*arguments, **variables)
        told[" ".join(arguments)] = done.stdout + done.stderr
        assert done.code == code, (arguments, done.stderr)

    with Processes() as seen:
        run(0, "deploy", "--json", **actions)
        entry = project.folder / "docker" / "backend" / "samjhadoo_backend" / "__main__.py"
        entry.write_text(TALKATIVE)
        document = project.folder / "docker" / "backend" / "task-definition.json"
        document.write_text(document.read_text().replace(TOKEN, f"{TOKEN}-new"))
        project.commit("Tell everything")
        run(0, "plan")
        run(4, "deploy", "--json", "--debug", **actions)
        assert "RuntimeError: ***" in told["deploy --json --debug"], "the application's log is not shown"
        code, told["terminal"] = on_a_terminal(project, "deploy")
        assert code == 4, told["terminal"]
        for verb in ("status", "history", "plan", "config"):
            run(0, verb, "--json")
        run(3, "verdict", "--json")  # no canary had traffic
    assert not [place for place, text in told.items() if "\x1b]0;" in text]
    told["events"] = events.read_text()
    told["summary"] = summary.read_text()
    told["processes"] = "\n".join(seen)
    s3 = project.client("s3")
    for stored in s3.list_objects_v2(Bucket="samjhadoo-local-deployments")["Contents"]:
        body = s3.get_object(Bucket="samjhadoo-local-deployments", Key=stored["Key"])["Body"].read()
        told[stored["Key"]] = body.decode(errors="replace")

    found = [
        (place, name) for place, text in told.items() for name, value in secrets.items() if value in text
    ]
    assert not found
    assert not list(readable_by_others(project.folder / ".samjhadoo", secrets))


def readable_by_others(folder: Path, secrets: dict[str, str]) -> Iterator[Path]:
    """Yield the files with a secret that others than their owner can reach."""
    for place, folders, files in os.walk(folder):
        folders[:] = [each for each in folders if (Path(place) / each).stat().st_mode & 0o077]
        for name in files:
            file = Path(place) / name
            if file.is_symlink() or not file.stat().st_mode & 0o077:
                continue
            content = file.read_bytes()
            if any(value.encode() in content for value in secrets.values()):
                yield file
