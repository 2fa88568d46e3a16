from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from samjhadoo_ops.rehearsal.scenario import scenario_names, scenarios
from samjhadoo_ops.tasks.completion import values

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "base.toml").write_text("[services.api]\n")
    (folder / "local.toml").write_text("[services.worker]\n")
    (folder / "staging.toml").write_text("[services.api.build]\n[services.mailer]\n")
    (tmp_path / "rehearsals").mkdir()
    (tmp_path / "rehearsals" / "own.toml").touch()
    (tmp_path / "rehearsals" / "notes.txt").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("invoke deploy --env", ["local", "staging"], id="bash-and-zsh-leave-out-an-empty-word"),
        pytest.param("invoke deploy --env ", ["local", "staging"], id="fish-passes-it"),
        pytest.param("invoke deploy --env st", ["staging"], id="the-beginning-of-a-value"),
        pytest.param("invoke deploy --env = st", ["staging"], id="bash-splits-at-the-equals-sign"),
        pytest.param("invoke deploy --env =", ["local", "staging"], id="bash-after-the-equals-sign"),
        pytest.param("invoke deploy --env=st", ["--env=staging"], id="zsh-replaces-the-whole-word"),
        pytest.param("invoke deploy --env=", ["--env=local", "--env=staging"], id="zsh-nothing-typed"),
        pytest.param("invoke deploy --env x", [], id="no-such-environment"),
        pytest.param("invoke deploy --service", ["api", "worker"], id="services-of-local"),
        pytest.param("invoke deploy --env staging --service", ["api", "mailer"], id="services-of-another"),
        pytest.param("invoke deploy --env=staging --service m", ["mailer"], id="a-service-by-its-beginning"),
        pytest.param("invoke watch --until b", ["bake"], id="phases"),
        pytest.param("invoke rehearse --scenario own", ["own"], id="the-project's-scenarios"),
        pytest.param("invoke rehearse --scenario heal", ["healthy"], id="scenarios-of-the-library"),
        pytest.param("invoke deploy --image", [], id="an-option-without-known-values"),
        pytest.param("invoke deploy", [], id="no-option"),
        pytest.param("invoke deploy --env local st", [], id="the-option-is-complete"),
        pytest.param("", [], id="nothing"),
    ],
)
@pytest.mark.usefixtures("project")
def test_the_values_of_an_option_are_completed(line: str, expected: list[str]) -> None:
    assert values(line) == expected


def test_a_folder_without_a_project_or_with_a_broken_one_completes_nothing(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "environments" / "local.toml").write_text("[")
    assert values("invoke deploy --service") == []
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    assert values("invoke deploy --env") == []


def test_the_scenarios_names_are_those_that_are_read() -> None:
    assert scenario_names(ROOT) == sorted(scenarios(ROOT))


COMPLETED = """
import json, sys
from invoke.program import Program
try:
    Program().run(["invoke", "--complete", "--", *sys.argv[2:]])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""


def complete(*words: str) -> tuple[list[str], set[str]]:
    """Complete as Invoke's scripts do, and return the values, and the modules that this has imported."""
    command = [sys.executable, "-c", COMPLETED, "--complete", *words]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return lines[:-1], set(json.loads(lines[-1]))


def test_completion_by_invoke_offers_values_tasks_and_options_and_imports_nothing_heavy() -> None:
    found, modules = complete("invoke", "deploy", "--env", "st")
    assert found == ["staging"]
    assert "healthy" in complete("invoke", "rehearse", "--scenario")[0]
    assert modules & {"boto3", "botocore", "urllib3", "rich", "docker", "psycopg"} == set()
    assert {"deploy", "plan"} <= set(complete("invoke", "de")[0])
    assert {"--env", "--load"} <= set(complete("invoke", "deploy", "--")[0])


INVOKE = Path(sys.executable).with_name("invoke")


@pytest.mark.skipif(not shutil.which("bash") or not INVOKE.exists(), reason="needs bash and its invoke")
@pytest.mark.parametrize(("words", "expected"), [("--env st", ["staging"]), ("--env = st", ["staging"])])
def test_the_script_of_invoke_for_bash_completes_an_environment(words: str, expected: list[str]) -> None:
    script = f"""
        eval "$(invoke --print-completion-script bash)"
        COMP_WORDS=(invoke deploy {words})
        _complete_invoke invoke st
        echo "${{COMPREPLY[@]}}"
    """
    path = f"{INVOKE.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env={"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == expected
