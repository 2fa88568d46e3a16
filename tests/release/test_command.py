"""Running a builder's program."""

from __future__ import annotations

import io
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import ConfigurationError, ExitCode
from samjhadoo_ops.release.command import LAST_LINES, CommandFailed, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_failed_command_shows_its_last_lines(tmp_path: Path, console: Any) -> None:
    with pytest.raises(CommandFailed, match="sh -c .* failed with exit status 7") as caught:
        run(["sh", "-c", "seq 1 30; exit 7"], console, cwd=tmp_path)
    assert caught.value.details == tuple(str(number) for number in range(31 - LAST_LINES, 31))
    assert caught.value.output.startswith("1\n2\n")


def test_a_program_that_is_missing_is_configuration(tmp_path: Path, console: Any) -> None:
    with pytest.raises(ConfigurationError, match="./gradlew cannot be run") as caught:
        run(["./gradlew", "build"], console, cwd=tmp_path)
    assert caught.value.exit_code == ExitCode.USAGE


def test_a_password_is_given_on_standard_input_only(tmp_path: Path, console: Any) -> None:
    output = run(["sh", "-c", "read word; echo got ${#word}"], console, cwd=tmp_path, given="secret\n")
    assert output == "got 6\n"


def test_variables_are_added_to_the_programs_own(
    tmp_path: Path, console: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OURS", "1")
    script = ["sh", "-c", "echo $OURS $GIVEN"]
    assert run(script, console, cwd=tmp_path, variables={"GIVEN": "2"}, show=False) == "1 2\n"
    assert console.text == ""


class Interrupted(Console):
    """A console whose user presses Ctrl-C when the first line comes."""

    def __init__(self) -> None:
        self.said = io.StringIO()
        super().__init__("lines", out=io.StringIO(), err=self.said)

    def line(self, text: str) -> None:
        self.pid = int(text)
        raise KeyboardInterrupt


def test_an_interrupt_ends_the_program_and_reports_it(tmp_path: Path) -> None:
    console = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "echo $$; exec sleep 600"], console, cwd=tmp_path)
    with pytest.raises(ProcessLookupError):
        os.kill(console.pid, 0)
    assert "sh -c was ended" in console.said.getvalue()


def test_a_program_that_ignores_the_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samjhadoo_ops.release.command.PATIENCE", 0.1)
    console = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        run(["sh", "-c", "trap '' TERM; echo $$; while :; do sleep 0.1; done"], console, cwd=tmp_path)
    assert subprocess.run(["ps", "-p", str(console.pid)], capture_output=True, check=False).returncode
