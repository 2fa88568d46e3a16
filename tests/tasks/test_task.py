from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest
from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.program import Program

from samjhadoo_ops.console import current_console
from samjhadoo_ops.errors import (
    ConfigurationError,
    DeploymentFailed,
    OpsError,
    PersonNeeded,
    Refused,
    WaitingForPerson,
)
from samjhadoo_ops.tasks.task import addressed, ops_task

if TYPE_CHECKING:
    from pathlib import Path


@ops_task(
    help={"release": "Release to show.", "wait": "Wait for it.", "only": "Names to show."},
    example="invoke show v1",
)
def show(
    c: Context, release: str, *, wait: bool = False, only: str = "", env: str = "local", debug: bool = False
) -> str:
    """Show what was passed."""
    console = current_console()
    console.line("working")
    console.result("shown", 0, release=release, wait=wait, only=only, env=env, dry=c.config.run.dry)
    return release


@ops_task(help={"kind": "Error to raise."}, example="invoke fail --kind ops")
def fail(_c: Context, *, kind: str = "") -> None:
    """Fail in a way."""
    errors: dict[str, BaseException] = {
        "configuration": ConfigurationError("aws.region: is missing", hint="edit it"),
        "refused": Refused("window is closed"),
        "rolled-back": DeploymentFailed("tasks stopped", changed="rolled back"),
        "person": PersonNeeded("rollback failed"),
        "waiting": WaitingForPerson("paused"),
        "ops": OpsError("odd"),
        "unexpected": RuntimeError("first line\nsecond line"),
        "silent": RuntimeError(),
        "interrupt": KeyboardInterrupt(),
        "exit": SystemExit(7),
    }
    raise errors[kind]


@ops_task(help={"name": "One of the names."}, example="invoke several --name one")
def several(_c: Context, *, name: tuple[str, ...] = ()) -> None:
    """Show what was passed."""
    current_console().result("shown", 0, names=name)


@ops_task(example="invoke it")
def aws(_c: Context) -> None:
    """Fail in an AWS call."""
    from botocore.exceptions import ClientError

    raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeServices")


def invoke(*arguments: str) -> int:
    """Run a command line against the tasks above and return its exit code."""
    try:
        Program(namespace=Collection(show, fail, several, aws)).run(["invoke", *arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_options_reach_the_function_with_their_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("show", "v1", "--wait", "--only", "a", "--env", "staging", "--json") == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert said[0] == {"event": "progress", "message": "working"}
    assert said[1] == {
        "event": "result",
        "outcome": "shown",
        "exit_code": 0,
        "release": "v1",
        "wait": True,
        "only": "a",
        "env": "staging",
        "dry": False,
    }
    assert len(said) == 2


@pytest.mark.parametrize("names", [[], ["a"], ["b", "a"]])
def test_an_option_without_a_value_of_its_own_may_be_given_several_times(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("several", "--json", *(text for name in names for text in ("--name", name))) == 0
    assert json.loads(capsys.readouterr().out)["names"] == names


@pytest.mark.parametrize("arguments", [("--dry", "show", "v1", "--json"), ("show", "v1", "--json", "--dry")])
def test_the_task_sees_invokes_dry_run(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(*arguments) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["dry"] is True


@pytest.mark.parametrize(
    ("kind", "code", "outcome"),
    [
        ("configuration", 2, "usage"),
        ("refused", 3, "refused"),
        ("rolled-back", 4, "rolled_back"),
        ("person", 5, "needs_a_person"),
        ("waiting", 6, "waiting"),
        ("ops", 1, "unexpected"),
        ("unexpected", 1, "unexpected"),
        ("silent", 1, "unexpected"),
        ("interrupt", 130, "interrupted"),
    ],
)
def test_every_ending_has_its_exit_code(
    kind: str, code: int, outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke("fail", "--kind", kind) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert "Traceback" not in shown.err
    assert invoke("fail", "--kind", kind, "--json") == code
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["event"], last["outcome"], last["exit_code"]) == ("result", outcome, code)


def test_a_tasks_own_exit_stays_as_it_is() -> None:
    assert invoke("fail", "--kind", "exit") == 7


def test_an_error_names_its_remedy_and_what_was_changed(capsys: pytest.CaptureFixture[str]) -> None:
    invoke("fail", "--kind", "rolled-back")
    assert capsys.readouterr().err == "error: tasks stopped\n  changed: rolled back\n"


@pytest.mark.parametrize(
    ("hint", "options", "expected"),
    [
        ("invoke rollback returns", {"env": "staging"}, "invoke rollback --env staging returns"),
        (
            "invoke deploy; invoke history",
            {"env": "staging", "service": "api"},
            "invoke deploy --env staging --service api; invoke history --env staging --service api",
        ),
        (
            "invoke deploy --resume x --env staging",
            {"env": "staging"},
            "invoke deploy --resume x --env staging",
        ),
        ("invoke deploy", {"env": "local"}, "invoke deploy"),
        ("invoke deploy", {}, "invoke deploy"),
        ("invoke stack.up", {"env": "staging"}, "invoke stack.up"),
    ],
)
def test_the_commands_of_a_hint_name_the_environment(
    hint: str, options: dict[str, str], expected: str
) -> None:
    assert addressed(hint, options) == expected


def test_an_unexpected_error_is_one_line_and_with_debug_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    invoke("fail", "--kind", "unexpected")
    shown = capsys.readouterr().err.splitlines()
    assert shown[0] == "error: RuntimeError: first line"
    assert len(shown) == 2
    invoke("fail", "--kind", "unexpected", "--debug")
    assert "Traceback" in capsys.readouterr().err


def test_an_error_of_an_aws_client_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("aws") == 1
    assert capsys.readouterr().err.startswith("error: AWS DescribeServices: AccessDenied: no\n  hint: ")


def test_a_task_without_a_result_of_its_own_still_ends_with_one(capsys: pytest.CaptureFixture[str]) -> None:
    @ops_task(example="invoke it")
    def quiet(_c: Context) -> None:
        """Say nothing."""

    quiet(Context(), json=True)
    assert json.loads(capsys.readouterr().out) == {"event": "result", "outcome": "succeeded", "exit_code": 0}


def test_a_task_is_callable_from_python_and_returns_its_value() -> None:
    assert show(Context(), "v2") == "v2"
    with pytest.raises(Exit) as caught:
        fail(Context(), kind="refused")
    assert caught.value.code == 3


def test_a_handler_for_sigterm_is_there_only_while_a_task_runs() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[Any] = []

    @ops_task(example="invoke it")
    def look(_c: Context) -> None:
        """Look at the handler."""
        seen.append(signal.getsignal(signal.SIGTERM))

    look(Context())
    assert seen[0] is not before
    assert signal.getsignal(signal.SIGTERM) is before


def undocumented(_c: Context, *, option: str = "") -> None:
    """Do something."""


def without_sentence(_c: Context) -> None:
    """do something"""


def without_default(_c: Context, *, option: str) -> None:
    """Do something."""


def nothing(_c: Context) -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    ("body", "texts", "complaint"),
    [
        (undocumented, {}, "option option has no help"),
        (without_sentence, {}, "docstring that is a sentence"),
        (without_default, {"option": "It."}, "has no default"),
        (nothing, {"ghost": "Boo."}, "do not exist: ghost"),
    ],
)
def test_a_task_that_is_not_documented_is_not_made(body: Any, texts: dict[str, str], complaint: str) -> None:
    with pytest.raises(TypeError, match=complaint):
        ops_task(help=texts, example="invoke it")(body)


def test_a_task_without_an_example_is_not_made() -> None:
    with pytest.raises(TypeError, match="needs an example"):
        ops_task(example="")(nothing)


def test_the_help_shows_an_example_and_every_default(capsys: pytest.CaptureFixture[str]) -> None:
    @ops_task(
        help={
            "rate": "Requests per second.",
            "length": "How long.",
            "note": "A note.",
            "deep": "Go deep.",
            "times": "How often (default: as often as needed).",
        },
        example="invoke drive --rate 5",
    )
    def drive(
        _c: Context,
        *,
        rate: int = 50,
        length: str = "30s",
        note: str = "",
        deep: bool = False,
        times: int = 3,
    ) -> None:
        """Drive."""

    with pytest.raises(SystemExit):
        Program(namespace=Collection(drive)).run(["invoke", "--help", "drive"])
    text = capsys.readouterr().out
    assert "Drive.\n\n  Example:\n  invoke drive --rate 5\n" in text
    found = dict(re.findall(r"--(\w+)(?:=\w+)? +(\S.*)", text))
    assert found["rate"] == "Requests per second (default: 50)."
    assert found["length"] == "How long (default: 30s)."
    assert found["note"] == "A note."
    assert found["deep"] == "Go deep."
    assert found["times"] == "How often (default: as often as needed)."


SLOW = """
    import pathlib, time
    from samjhadoo_ops.console import current_console
    from samjhadoo_ops.tasks.task import ops_task

    @ops_task(example="invoke it")
    def slow(c):
        \"\"\"Wait for the end.\"\"\"
        try:
            pathlib.Path("started").touch()
            time.sleep(60)
        finally:
            pathlib.Path("cleaned").touch()

    @ops_task(example="invoke it")
    def talk(c):
        \"\"\"Say much.\"\"\"
        for number in range(100_000):
            current_console().show(f"line {number}", number=number)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "tasks.py").write_text(textwrap.dedent(SLOW))
    return tmp_path


def start(project: Path, *arguments: str, nohup: bool = False) -> subprocess.Popen[str]:
    """Start Invoke as a user does, whatever signals this process itself ignores."""

    def reset() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)

    return subprocess.Popen(
        [sys.executable, "-m", "invoke", *arguments],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=reset,  # noqa: PLW1509 - no threads
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("signum", "code", "outcome"),
    [
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 143, "terminated"),
        (signal.SIGINT, 130, "interrupted"),
    ],
)
def test_a_signal_ends_the_task_as_an_exception_does(
    project: Path, signum: signal.Signals, code: int, outcome: str
) -> None:
    process = start(project, "slow", "--json")
    wait_for(project / "started")
    process.send_signal(signum)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert (project / "cleaned").exists()
    assert json.loads(out.splitlines()[-1])["outcome"] == outcome
    assert "Traceback" not in err


def test_a_terminal_that_closes_does_not_end_what_nohup_started(project: Path) -> None:
    process = start(project, "slow", nohup=True)
    wait_for(project / "started")
    process.send_signal(signal.SIGHUP)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert (project / "cleaned").exists()


def test_a_reader_that_goes_away_ends_nothing(project: Path) -> None:
    process = start(project, "talk")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line 0\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 0
