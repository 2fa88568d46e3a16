from __future__ import annotations

import io
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from invoke.exceptions import Exit

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.console import Console
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, ExitCode, OpsError, PersonNeeded, Refused
from samjhadoo_ops.stack.state import StackEnding, StackPaths, write
from samjhadoo_ops.tasks.deploy import deploy
from samjhadoo_ops.tasks.load import under_load
from samjhadoo_ops.tasks.session import Session, next_commands


class FakeAws:
    """Credentials of the environment's account, or of another one."""

    def __init__(self, *, foreign: bool = False) -> None:
        self.foreign = foreign

    def account_guard(self) -> None:
        if self.foreign:
            raise Refused("these credentials belong to another account")


def session(name: str, *, foreign: bool = False) -> Session:
    env = load_environment(name, variables={})
    made = Session(env, Console(err=io.StringIO()), Clock(), "http://production", "http://test")
    made.__dict__["aws"] = FakeAws(foreign=foreign)  # the value of its cached property
    return made


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


def test_the_credentials_are_checked_and_the_plan_is_shown_before_the_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal("production\n" * 2))
    asked = session("production")
    asked.confirm("Deploy?", yes=False, show=lambda: asked.console.line("the plan"))
    assert asked.console.err.getvalue() == "the plan\nDeploy? Type production to continue:\n"
    refused = session("production", foreign=True)
    with pytest.raises(Refused, match="another account"):
        refused.confirm("Deploy?", yes=False, show=lambda: refused.console.line("the plan"))
    assert refused.console.err.getvalue() == ""


@pytest.mark.parametrize(
    ("name", "setting", "where"),
    [
        ("local", ('eval "$(invoke stack.env)"',), ""),
        ("production", (), " --region ap-south-1 --profile samjhadoo-production"),
    ],
)
def test_after_a_deploy_the_next_commands_have_the_real_addresses(
    name: str, setting: tuple[str, ...], where: str
) -> None:
    assert next_commands(session(name)) == (
        "curl http://production/health",
        *setting,
        f"aws ecs describe-services{where} --cluster samjhadoo-cluster --services samjhadoo-service",
    )


@pytest.mark.parametrize(
    ("name", "rate", "message"),
    [
        ("production", 50, "--load sends requests to a local stack only, and production has none"),
        ("local", -1, "--load -1: expected more than 0"),
    ],
)
def test_a_load_that_is_not_possible_is_wrong_usage(name: str, rate: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message), under_load(session(name), rate):
        pass


def test_a_deploy_under_load_extends_its_canary_until_the_requests_decide(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("samjhadoo_ops.stack.load.LoadGenerator._request", lambda _self, _http: "")
    local = session("local")
    with under_load(local, 50) as loaded:
        assert loaded.env.canary.inconclusive == ["extend", "continue"]
        assert loaded.env.canary.extend > local.env.canary.extend
    assert "load: " in local.console.err.getvalue()


def test_before_the_first_release_no_load_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samjhadoo_ops.stack.load.LoadGenerator._request", lambda _self, _http: "HTTP 503")
    local = session("local")
    with under_load(local, 50) as loaded:
        assert loaded is local
    assert local.console.err.getvalue() == ("no load is sent, because nothing serves http://production yet\n")


def test_without_a_terminal_production_needs_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("production\n"))
    with pytest.raises(ConfigurationError, match="no terminal") as refusal:
        session("production").confirm("Deploy?", yes=False)
    assert refusal.value.hint == "add --yes"


@pytest.mark.parametrize("kind", ["ours", "a client's", "any"])
def test_an_error_after_the_stack_has_ended_says_why_it_ended(tmp_path: Path, kind: str) -> None:
    (tmp_path / "environments").symlink_to(Path(__file__).parents[2] / "environments")
    env = load_environment("local", root=tmp_path, variables={})
    write(StackPaths(tmp_path).ended, StackEnding(id="x", reason="the stack's redis was killed", at=0.0))
    lost = Session(env, Console(err=io.StringIO()), Clock(), "", "", endpoint_url="http://127.0.0.1:1")
    errors = {
        "ours": OpsError("oh"),
        "a client's": EndpointConnectionError(endpoint_url="http://127.0.0.1:1"),
        "any": ConnectionResetError("reset"),
    }
    with pytest.raises(Refused) as told, lost.counted():
        raise errors[kind]
    assert told.value.message == "the local stack has ended: the stack's redis was killed"
    assert told.value.hint == "invoke stack.up starts a new, empty one"


def test_a_lost_stack_does_not_make_an_unknown_state_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(Path(__file__).parents[2] / "environments")
    env = load_environment("local", root=tmp_path, variables={})
    lost = Session(env, Console(err=io.StringIO()), Clock(), "", "", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(PersonNeeded) as told, lost.counted():
        raise PersonNeeded("the deployment may continue")
    assert told.value.details == ("the local stack has ended",)
