from __future__ import annotations

import io
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from invoke.exceptions import Exit

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError, Refused
from samjhadoo_ops.stack.state import StackEnding, StackPaths, write
from samjhadoo_ops.tasks.deploy import deploy
from samjhadoo_ops.tasks.session import Session


def session(name: str) -> Session:
    env = load_environment(name, variables={})
    return Session(env, Console(err=io.StringIO()), Clock(), "http://production", "http://test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_waiting_for_an_unknown_phase_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    from invoke.context import Context

    with pytest.raises(Exit) as ending:
        deploy(Context(), until="lunch")
    assert ending.value.code == ExitCode.USAGE
    assert "expected canary, bake or done" in capsys.readouterr().err


def test_the_local_stack_needs_no_confirmation() -> None:
    session("local").confirm("Deploy?", yes=False)


def test_production_asks_unless_yes_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    session("production").confirm("Deploy?", yes=True)
    monkeypatch.setattr("sys.stdin", Terminal("production\n"))
    session("production").confirm("Deploy?", yes=False)
    monkeypatch.setattr("sys.stdin", Terminal("yes\n"))
    with pytest.raises(Refused, match="nothing was changed"):
        session("production").confirm("Deploy?", yes=False)


def test_without_a_terminal_production_needs_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("production\n"))
    with pytest.raises(ConfigurationError, match="no terminal") as refusal:
        session("production").confirm("Deploy?", yes=False)
    assert refusal.value.hint == "add --yes"


@pytest.mark.parametrize("kind", ["ours", "a client's"])
def test_an_error_after_the_stack_has_ended_says_why_it_ended(tmp_path: Path, kind: str) -> None:
    (tmp_path / "environments").symlink_to(Path(__file__).parents[2] / "environments")
    env = load_environment("local", root=tmp_path, variables={})
    write(StackPaths(tmp_path).ended, StackEnding(id="x", reason="the stack's redis was killed", at=0.0))
    lost = Session(env, Console(err=io.StringIO()), Clock(), "", "", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(OpsError) as told, lost.counted():
        raise OpsError("oh") if kind == "ours" else EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
    assert told.value.details[0].startswith("the local stack has ended: the stack's redis was killed; ")
