from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.collection import Collection
from invoke.config import Config
from invoke.program import Program

import samjhadoo_ops
from samjhadoo_ops import ns
from samjhadoo_ops.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "boto3", "botocore", "stripe", "psycopg", "redis", "docker", "testcontainers", "rich", "moto",
    "urllib3", "stamina", "platformdirs", "psutil", "starlette", "uvicorn", "localstack_client", "asyncio",
}  # fmt: skip


def python(code: str, **variables: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


LISTED = """
import json, sys
from invoke.program import Program
try:
    Program().run(["invoke", "--list"])
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""


def test_listing_the_tasks_imports_nothing_heavy() -> None:
    """Listing and shell completion stay fast."""
    bare = set(json.loads(python("import json, sys, invoke.program; print(json.dumps(sorted(sys.modules)))")))
    listed = set(json.loads(python(LISTED).splitlines()[-1]))
    assert "samjhadoo_ops.tasks.config" in listed
    assert (listed - bare) & HEAVY == set()


def test_importing_the_library_does_not_import_its_tasks() -> None:
    loaded = json.loads(python("import json, sys, samjhadoo_ops; print(json.dumps(sorted(sys.modules)))"))
    assert [name for name in loaded if name.startswith(("invoke", "msgspec", "samjhadoo_ops."))] == []
    with pytest.raises(AttributeError, match="nothing"):
        samjhadoo_ops.nothing  # noqa: B018


def test_every_task_is_listed_in_one_sentence() -> None:
    listing = json.loads(run("--list", "--list-format", "json"))

    def walk(collection: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
        own = [(prefix + task["name"], task["help"] or "") for task in collection["tasks"]]
        return own + [
            item for below in collection["collections"] for item in walk(below, f"{prefix}{below['name']}.")
        ]

    tasks = walk(listing)
    assert tasks
    assert [name for name, text in tasks if not text.endswith(".") or len(text) > 60 or "\n" in text] == []


def test_every_option_of_every_task_has_help_and_the_common_ones_are_everywhere() -> None:
    code = """
import json
from samjhadoo_ops import ns
arguments = {name: ns[name].get_arguments() for name in ns.task_names}
helps = {name: {option.name: option.help for option in options} for name, options in arguments.items()}
shorts = {name: [n for o in options for n in o.names if len(n) == 1] for name, options in arguments.items()}
print(json.dumps([helps, shorts]))
"""  # in a process of its own: Invoke takes the help away from the task when it is asked
    found, shorts = json.loads(python(code))
    for name, options in found.items():
        assert {"env", "json", "debug"} <= set(options), name
        assert [option for option, text in options.items() if not text] == [], name
    assert {name: letters for name, letters in shorts.items() if letters} == {}


def test_no_two_settings_of_invoke_collapse_into_one_variable() -> None:
    """Invoke would crash every task with AmbiguousEnvVar, whether or not the variable is set."""
    config = Config(overrides=ns.configuration())
    config.load_shell_env()


@pytest.mark.parametrize(("variables", "plain"), [({"NO_COLOR": "1"}, True), ({}, True)])
def test_echoed_commands_carry_no_escape_sequences_in_a_pipe(variables: dict[str, str], plain: bool) -> None:
    out = python("from samjhadoo_ops import ns; print(ns.configuration()['run']['echo_format'])", **variables)
    assert ("\033" not in out) is plain


def test_the_namespace_serves_as_a_branch_of_another() -> None:
    names = set(ns.task_names)
    branch = Collection(ops=samjhadoo_ops.ns)
    assert {f"ops.{name}" for name in names} == set(branch.task_names)


def test_the_root_tasks_file_offers_the_namespace() -> None:
    assert "Show the effective settings" in run("--list")


def test_completion_knows_the_tasks() -> None:
    assert "config" in run("--complete", "--", "inv co").split()


def run(*arguments: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "invoke", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("line", "what", "hint"),
    [
        pytest.param("no-such-task", "there is no task 'no-such-task'", "invoke --list", id="unknown task"),
        pytest.param("deplyo", "there is no task 'deplyo'", "did you mean deploy?", id="near task"),
        pytest.param(
            "stack.upp", "there is no task 'stack.upp'", "did you mean stack.up?", id="near task of two"
        ),
        pytest.param("deploy it", "there is no task 'it'", "invoke --list", id="word behind a task"),
        pytest.param(
            "status --nope", "status has no option --nope", "invoke status --help", id="unknown option"
        ),
        pytest.param(
            "deploy --untl done", "deploy has no option --untl", "did you mean --until?", id="near option"
        ),
        pytest.param("--nope", "there is no option --nope", "invoke --help", id="unknown option of Invoke"),
        pytest.param("deploy --until", "--until needs a value", "invoke deploy --help", id="value missing"),
        pytest.param("history --limit ten", "'ten' is not a number", "shows the options", id="no number"),
        pytest.param("history --limit -3", "--limit -3: expected 0 or more", "", id="negative number"),
        pytest.param("stack.logs --lines -1", "--lines -1: expected 0 or more", "", id="negative lines"),
        pytest.param("stack.logs --it's", "stack.logs has no option --it's", "--help", id="quote"),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["people", "json"])
def test_a_wrong_command_line_is_wrong_usage(
    line: str, what: str, hint: str, *, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *rest = line.split()
    words = [first, "--json", *rest] if as_json and not first.startswith("-") else line.split()
    with pytest.raises(SystemExit) as caught:
        Program(namespace=ns).run(["invoke", *words])
    assert caught.value.code == ExitCode.USAGE
    shown = capsys.readouterr()
    if words == line.split():
        assert f"error: {what}" in shown.err
        assert hint in shown.err
    else:
        (result,) = (json.loads(each) for each in shown.out.splitlines())
        assert (result["event"], result["exit_code"], result["message"]) == ("result", 2, what)
