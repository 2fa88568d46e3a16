"""Compares the deployer's policy with the AWS calls that the tests record: it covers them, and nothing else.

Any run fails if the tool makes a call that the policy does not allow. With `--every-aws-call`, which is for
runs of all tests, it also fails if the policy allows a call that was never made.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_calls
import pytest

from samjhadoo_ops.infrastructure.permissions import PERMISSIONS, UNCHECKED

if TYPE_CHECKING:
    from collections.abc import Iterable

OPTION = "--every-aws-call"
_LOCAL = ("samjhadoo_ops.rehearsal.", "samjhadoo_ops.stack.", "samjhadoo_ops.testing.")
"""Packages whose calls never reach AWS."""
_ADMINISTRATION = ("samjhadoo_ops.infrastructure.",)
"""Packages whose calls are made by whoever makes the stacks, with permissions for all that is in them."""


@dataclass(frozen=True)
class RecordedCall:
    """A call that the tool made.

    Attributes:
        module: The module that made it.
        name: `service:Operation`, as in `samjhadoo_ops.infrastructure.permissions`.
        parameters: Those that are text, or lists of it.
    """

    module: str
    name: str
    parameters: dict[str, Any] = field(default_factory=dict)


def read_calls(file: Path) -> list[RecordedCall]:
    """Return the recorded calls that a release would make at AWS."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else ()
    calls = (RecordedCall(**json.loads(line)) for line in lines)
    return [call for call in calls if not call.module.startswith((*_LOCAL, *_ADMINISTRATION))]


def lacking(calls: Iterable[RecordedCall]) -> list[str]:
    """Return the calls that no permission of the table allows."""
    declared = {name for permission in PERMISSIONS for name in permission.calls} | UNCHECKED
    return [
        f"{module} calls {name}, which no permission in samjhadoo_ops.infrastructure.permissions allows"
        for name, module in sorted({(call.name, call.module) for call in calls})
        if name not in declared
    ]


def superfluous(calls: Iterable[RecordedCall]) -> list[str]:
    """Return the calls that have a permission, but were never made."""
    made = {call.name for call in calls}
    return [
        f"no test makes the tool call {name}, which the permission {permission.sid} allows"
        for permission in PERMISSIONS
        for name in permission.calls
        if name not in made
    ]


class PolicyCheck:
    """Lets all processes of a run record their calls, and compares them with the policy at its end."""

    def __init__(self, *, every_call: bool) -> None:
        self._every_call = every_call
        self._folder = tempfile.TemporaryDirectory(prefix="aws-calls-", ignore_cleanup_errors=True)
        self._file = Path(self._folder.name, "calls.jsonl")
        self._problems: list[str] = []
        here = os.fspath(Path(__file__).parent)
        os.environ[aws_calls.VARIABLE] = os.fspath(self._file)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))

    @pytest.hookimpl(trylast=True)  # xdist's workers have ended by then
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        calls = read_calls(self._file)
        self._problems = [*lacking(calls), *(superfluous(calls) if self._every_call else ())]
        if self._problems and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._problems:
            terminalreporter.section("the deployer's policy", red=True, bold=True)
        for problem in self._problems:
            terminalreporter.line(problem)

    def pytest_unconfigure(self) -> None:
        self._folder.cleanup()


def add_option(parser: pytest.Parser) -> None:
    """Add the option for runs of all tests."""
    parser.addoption(
        OPTION, action="store_true", help="Fail if the policy allows an AWS call that was never made."
    )


def start(config: pytest.Config) -> None:
    """Record the calls of this process and of those that it starts; check them if it is the first one."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(PolicyCheck(every_call=config.getoption(OPTION)))
    aws_calls.record_from_start()
