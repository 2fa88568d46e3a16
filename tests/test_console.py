from __future__ import annotations

import io
import json
import os
import re
from datetime import UTC, datetime
from typing import Any, cast
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from samjhadoo_ops.console import Console, Mode, View, current_console
from samjhadoo_ops.environment import Duration, Secret, Window
from samjhadoo_ops.errors import DeploymentFailed
from samjhadoo_ops.redaction import register_secret
from samjhadoo_ops.streams import columned, short, wrapped

_CELLS = st.lists(st.text("ab-:/", min_size=1, max_size=50), max_size=5).map(" ".join)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def console(mode: Mode = "lines", *, colour: bool = False) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(mode, colour=colour, out=out, err=err), out, err


@pytest.mark.parametrize(
    ("as_json", "stream", "variables", "mode", "colour"),
    [
        pytest.param(False, Terminal(), {}, "live", True, id="terminal"),
        pytest.param(False, io.StringIO(), {}, "lines", False, id="pipe"),
        pytest.param(False, Terminal(), {"CI": "true"}, "lines", True, id="ci-with-a-terminal"),
        pytest.param(False, Terminal(), {"CI": "false"}, "live", True, id="ci-is-false"),
        pytest.param(False, Terminal(), {"NO_COLOR": "1"}, "live", False, id="no-color"),
        pytest.param(False, Terminal(), {"NO_COLOR": ""}, "live", True, id="empty-no-color-is-none"),
        pytest.param(
            False, Terminal(), {"NO_COLOR": "1", "FORCE_COLOR": "1"}, "live", False, id="no-color-wins"
        ),
        pytest.param(False, Terminal(), {"TERM": "dumb"}, "lines", False, id="dumb"),
        pytest.param(False, io.StringIO(), {"FORCE_COLOR": "1"}, "lines", True, id="force-color-in-a-pipe"),
        pytest.param(True, Terminal(), {}, "json", True, id="json"),
    ],
)
def test_the_mode_is_decided_by_flag_terminal_and_variables(
    as_json: bool, stream: io.StringIO, variables: dict[str, str], mode: str, colour: bool
) -> None:
    decided = Console.decide(as_json=as_json, variables=variables, err=stream)
    assert (decided.mode, decided.colour) == (mode, colour)


def show_everything(shown: Console) -> None:
    shown.line("building")
    shown.event("pushed", "image pushed", digest="sha256:1")
    shown.event("scaled", running=2, wanted=4)
    shown.show("a line", key="value")
    shown.table(["Key", "Exit code"], [["a", 1], ["b", None]])
    shown.result("succeeded", 0, url="http://x")


def test_progress_goes_to_stderr_and_results_to_stdout() -> None:
    shown, out, err = console()
    show_everything(shown)
    assert out.getvalue().splitlines() == [
        "a line",
        "Key  Exit code",
        "a    1",
        "b",
        "✔ succeeded url=http://x",
    ]
    lines = err.getvalue().splitlines()
    assert lines[0] == "building"
    assert lines[1].endswith("s  image pushed")
    assert lines[2].endswith("s  scaled running=2 wanted=4")


def test_json_is_one_object_a_line_on_stdout_and_nothing_else() -> None:
    shown, out, err = console("json", colour=True)
    show_everything(shown)
    assert err.getvalue() == ""
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"event": "progress", "message": "building"},
        {"event": "pushed", "message": "image pushed", "digest": "sha256:1"},
        {"event": "scaled", "running": 2, "wanted": 4},
        {"event": "item", "key": "value"},
        {"event": "row", "key": "a", "exit_code": 1},
        {"event": "row", "key": "b", "exit_code": None},
        {"event": "result", "outcome": "succeeded", "exit_code": 0, "url": "http://x"},
    ]


def test_json_takes_any_value_and_never_a_secret() -> None:
    shown, out, _ = console("json")
    moment = datetime(2026, 11, 2, 22, tzinfo=UTC)
    window = Window.parse("Mon 22:00-23:00 UTC")
    shown.event("e", a=Secret("planted"), b=moment, c=Duration(90), d=window, e={"x"}, f=b"b", g=float("inf"))
    document = json.loads(out.getvalue(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["a"] == "***"
    assert document["b"] == "2026-11-02T22:00:00+00:00"
    assert document["c"] == 90
    assert document["d"] == "Mon 22:00-23:00 UTC"
    assert document["e"] == ["x"]
    assert document["g"] == "inf"


@pytest.mark.parametrize("colour", [True, False])
def test_a_failure_shows_what_was_changed_and_what_to_do(colour: bool) -> None:
    shown, out, err = console(colour=colour)
    shown.failure(
        DeploymentFailed("tasks stopped", changed="nothing", hint="invoke status", details=("exit 1",))
    )
    error = "\033[31merror:\033[0m" if colour else "error:"
    assert err.getvalue().splitlines() == [
        f"{error} tasks stopped",
        "  exit 1",
        "  changed: nothing",
        "  hint: invoke status",
    ]
    assert out.getvalue() == ""


def test_a_failure_in_json_is_the_result() -> None:
    shown, out, _ = console("json")
    shown.failure(DeploymentFailed("tasks stopped", hint="invoke status", details=("exit 1",)))
    assert json.loads(out.getvalue()) == {
        "event": "result",
        "outcome": "rolled_back",
        "exit_code": 4,
        "error": "DeploymentFailed",
        "message": "tasks stopped",
        "hint": "invoke status",
        "details": ["exit 1"],
    }
    assert shown.finished


@pytest.mark.parametrize(
    ("rows", "width", "expected"),
    [
        pytest.param([["Key", "Value"], ["a", "b c"]], 0, ["Key  Value", "a    b c"], id="a pipe"),
        pytest.param([["Key", "Value"], ["a", "b c"]], 40, ["Key  Value", "a    b c"], id="it fits"),
        pytest.param(
            [["Key", "Value"], ["a" * 20, "one two three four five"]],
            40,
            [f"{'Key':<20}  Value", f"{'a' * 20}  one two three four", f"{'':<20}  five"],
            id="wrapped by word",
        ),
        pytest.param(
            [["Key", "Value"], ["a" * 20, "secretsmanager:samjhadoo/local/redis"], ["b", "c"]],
            40,
            [
                f"{'Key':<20}  Value",
                "a" * 20,
                "  secretsmanager:samjhadoo/local/redis",
                f"{'b':<20}  c",
            ],
            id="a long word stands below",
        ),
    ],
)
def test_a_table_is_as_wide_as_the_terminal(rows: list[list[str]], width: int, expected: list[str]) -> None:
    assert columned(rows, width) == expected


@given(
    st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(_CELLS, min_size=n, max_size=n), min_size=1)),
    st.sampled_from([0, 40, 80, 120]),
)
def test_no_word_of_a_table_is_broken(rows: list[list[str]], width: int) -> None:
    words = " ".join(columned(rows, width)).split()
    assert sorted(words) == sorted(word for row in rows for cell in row for word in cell.split())


@given(st.lists(st.tuples(_CELLS, _CELLS), min_size=1))
def test_a_line_of_a_table_is_too_long_only_for_a_word_that_is(rows: list[tuple[str, str]]) -> None:
    first = max(len(row[0]) for row in rows)
    for line in columned(rows, 80):
        assert len(line) <= 80 or len(line.split()) <= 1 or first > 60


def test_secrets_are_written_only_where_they_were_asked_for_and_not_to_views() -> None:
    register_secret("a-password-of-a-database")
    received: list[str] = []
    for mode, expected in (
        ("lines", "export PGPASSWORD=a-password-of-a-database\n"),
        ("json", '{"event": "variables", "PGPASSWORD": "a-password-of-a-database"}\n'),
    ):
        shown, out, _ = console(cast("Mode", mode))
        view = Mock(spec=View)
        view.receive.side_effect = lambda event, *_: received.append(event)
        shown.attach(view)
        lines = ["export PGPASSWORD=a-password-of-a-database"]
        shown.disclose("variables", lines, PGPASSWORD="a-password-of-a-database")
        assert out.getvalue() == expected
        shown.command(lines[0])
        assert "a-password" not in out.getvalue().removeprefix(expected)
    assert received == []


def test_commands_after_the_result_stand_unbroken_on_lines_of_their_own() -> None:
    command = f"aws ecs describe-services --cluster {'c' * 60} --services {'s' * 60}"
    shown, out, _ = console()
    shown.result("succeeded", 0, "done", commands=[command, "curl http://x"])
    assert out.getvalue() == f"✔ done\n  {command}\n  curl http://x\n"
    shown, out, _ = console("json")
    shown.result("succeeded", 0, "done", commands=[command])
    assert "commands" not in json.loads(out.getvalue())


@pytest.mark.parametrize("rows", [[], [["a", "b"]]])
def test_a_table_may_be_empty(rows: list[list[Any]]) -> None:
    shown, out, _ = console()
    shown.table(["One", "Two"], rows)
    assert len(out.getvalue().splitlines()) == 1 + len(rows)


def test_the_current_console_is_the_console_of_the_running_task() -> None:
    shown, _, _ = console("json")
    with shown.active():
        assert current_console() is shown
    assert current_console() is not shown


@pytest.mark.parametrize(
    ("symbol", "ascii_symbol"), [("✔", "+"), ("✘", "x"), ("\N{EN DASH}", "-"), ("!", "!"), ("…", "...")]
)
def test_symbols_that_the_stream_cannot_encode_are_replaced(symbol: str, ascii_symbol: str) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console("lines", err=stream).line(f"{symbol} 3 checks")
    assert raw.getvalue() == f"{ascii_symbol} 3 checks\n".encode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(
            'remedy: deploy only a fix, and name it: --override error_budget="what this fixes"',
            ["remedy: deploy only a fix, and name", "  it:", '  --override error_budget="what this fixes"'],
            id="options",
        ),
        pytest.param(
            "if this command is killed: invoke watch --env local",
            ["if this command is killed:", "  invoke watch --env local"],
            id="invoke",
        ),
        pytest.param(
            "at most 200 s; to follow it: invoke stack.logs",
            ["at most 200 s; to follow it:", "  invoke stack.logs"],
            id="on the next line",
        ),
        pytest.param(
            "a few seconds, at most 200 s; to follow it: invoke stack.logs",
            ["a few seconds, at most 200 s; to", "  follow it: invoke stack.logs"],
            id="behind words that are wrapped",
        ),
        pytest.param("then: invoke watch", ["then: invoke watch"], id="it fits"),
    ],
)
def test_a_command_at_the_end_of_a_line_that_is_too_long_stands_unbroken(
    line: str, expected: list[str]
) -> None:
    assert wrapped(line, 38, indent=2) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("release 761ce5718f32d3b9770d99b4ab300180d4015c37 is", "release 761ce5718f32 is"),
        (f"host:5000/app@sha256:{'ab' * 32} pushed", "host:5000/app@sha256:abababababab pushed"),
        ("arn:aws:ecs:eu-west-1:1:service-deployment/c/s/D-1_x is", "D-1_x is"),
        (
            "in (target-group arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/app-blue/f480e27e3a)",
            "in (target-group app-blue)",
        ),
        ("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/f480e27e3ad88a39 is", "web is"),
        (f"sha256:{'ab' * 33}", f"sha256:{'ab' * 33}"),
        ("v1.2.3 at 127.0.0.1:8080", "v1.2.3 at 127.0.0.1:8080"),
    ],
)
def test_ids_are_shortened_to_what_people_compare(text: str, expected: str) -> None:
    assert short(text) == expected


def test_lines_are_wrapped_by_word_and_long_words_stay_whole() -> None:
    text = "  why: the page did not answer http://127.0.0.1:8080/a/very/long/address at all"
    assert wrapped(text, 40, indent=2) == [
        "  why: the page did not answer",
        "    http://127.0.0.1:8080/a/very/long/address",
        "    at all",
    ]
    assert wrapped(text, 0, indent=2) == [text]


@pytest.mark.parametrize(
    ("line", "whole"),
    [
        ("invoke watch --env production --deploy 20261130T222437087972Z-4064", True),
        ("  aws ecs stop-task --cluster a-cluster --task 761ce5718f32d3b9", True),
        ("invoke history shows what was tried, and invoke status what serves", False),
    ],
)
def test_a_line_that_is_a_command_stays_whole(line: str, whole: bool) -> None:
    assert (wrapped(line, 40, indent=0) == [line]) is whole


def test_a_command_that_does_not_fit_stands_unbroken_on_a_line_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("samjhadoo_ops.console.width_of", lambda _: 40)
    shown, _, err = console()
    command = "invoke deploy --env staging --service worker"
    shown.failure(DeploymentFailed("m", hint=f"correct the release, then: {command}; invoke history"))
    assert err.getvalue().splitlines() == [
        "error: m",
        "  hint: correct the release, then:",
        f"        {command}",
        "        invoke history",
    ]


def test_symbols_are_coloured_where_colours_are_shown() -> None:
    shown, out, err = console(colour=True)
    shown.remark("✔ 3 checks passed")
    shown.result("succeeded", 0, "done")
    assert err.getvalue().endswith("\033[32m✔\033[0m 3 checks passed\n")
    assert out.getvalue() == "\033[32m✔\033[0m done\n"


def test_characters_that_the_stream_cannot_encode_are_escaped() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    Console("lines", err=stream).line("Mumbai → मुंबई \udcff")
    assert raw.getvalue().startswith(b"Mumbai -> \\u092e")


@pytest.mark.parametrize("as_json", [False, True], ids=["lines", "json"])
def test_a_closed_output_does_not_stop_the_work(as_json: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        console = Console.decide(as_json=as_json, out=stream, err=stream, variables={})
        console.event("phase", "canary")
        console.event("phase", "baking")
        console.result("succeeded", 0)
    assert console.finished


class RecordingView:
    """A view that records its events, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.events: list[str] = []

    def receive(self, event: str, text: str, fields: Any) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.events.append(event)

    def put(self, text: str) -> bool:
        return False

    def close(self) -> None:
        self.events.append("closed")


@pytest.mark.parametrize("mode", ["lines", "json"])
def test_a_view_receives_every_event_and_the_result_last(mode: Mode) -> None:
    shown, _, _ = console(mode)
    view = RecordingView()
    shown.attach(view)
    show_everything(shown)
    assert view.events == ["pushed", "scaled", "row", "row", "closed", "result"]


def test_a_view_that_fails_is_reported_once_and_removed() -> None:
    shown, _, err = console()
    view = RecordingView()
    shown.attach(RecordingView(fails=True))
    shown.attach(view)
    shown.event("one", "first")
    shown.event("two", "second")
    assert [line[10:] for line in err.getvalue().splitlines()] == [
        "RecordingView failed: RuntimeError: broken",
        "first",
        "second",
    ]
    assert "one" in view.events


def test_a_state_is_for_json_and_views_only() -> None:
    for mode in ("lines", "json"):
        shown, out, err = console(mode)  # type: ignore[arg-type]
        shown.state("counts", minutes=3)
        assert err.getvalue() == ""
        assert out.getvalue() == ('{"event": "counts", "minutes": 3}\n' if mode == "json" else "")


def test_lines_during_a_deployment_have_its_phase_as_prefix() -> None:
    shown, _, err = console()
    shown.event("phase", "canary, 10 % of traffic", phase="CANARY", weight=10.0)
    shown.event("verdict", "verdict FAIL")
    assert [line[10:] for line in err.getvalue().splitlines()] == [
        "canary, 10 % of traffic",
        "[canary 10 %] verdict FAIL",
    ]


def test_no_line_of_json_is_a_command_to_github() -> None:
    shown, out, _ = console("json")
    shown.event("e", "x ##[error]y")
    assert "##[" not in out.getvalue()
    assert json.loads(out.getvalue())["message"] == "x ##[error]y"


EVIL = "asha\x1b]0;title\x07\x1b[2J\x9b\u202e planted-on-the-console"


class Path:
    """Something that JSON has no form for."""

    def __str__(self) -> str:
        return EVIL


@pytest.mark.parametrize("mode", ["lines", "json", "live"])
@pytest.mark.parametrize("colour", [False, True])
def test_no_secret_and_no_command_to_the_terminal_leaves_the_console(mode: Mode, colour: bool) -> None:
    Secret("planted-on-the-console")
    shown, out, err = console(mode, colour=colour)
    seen: list[str] = []

    class View:
        def receive(self, event: str, text: str, fields: Any) -> None:
            seen.append(f"{event} {text} {fields}")

        def put(self, _text: str) -> bool:
            return False

        def close(self) -> None:
            pass

    shown.attach(View())
    shown.line(EVIL)
    shown.event("waiting", EVIL, owner=EVIL, deep=[{"x": EVIL}])
    shown.event("waiting", owner=EVIL, path=Path())
    shown.remark(EVIL)
    shown.show(EVIL, key=EVIL, path=Path())
    shown.table(["Key"], [[EVIL], [Path()]])
    shown.note(more=EVIL)
    shown.failure(DeploymentFailed(EVIL, changed=EVIL, hint=EVIL, details=(EVIL,), failure={"logs": [EVIL]}))
    shown.result("failed", 4, EVIL, key=EVIL)
    everything = out.getvalue() + err.getvalue() + "".join(seen).replace("\\x1b", "\x1b")
    assert "asha" in everything
    assert "planted" not in everything
    left = re.sub(r"\x1b\[[0-9;]*m", "", everything) if colour else everything
    assert not re.findall(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]|\\u(?:001b|009b|202e)", left)
