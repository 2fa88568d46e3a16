from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt
from report_runs import BACK, GOOD, RELEASE, progress

from samjhadoo_ops.console import Console
from samjhadoo_ops.errors import DeploymentFailed, WaitingForPerson
from samjhadoo_ops.report.failure import FailureReport
from samjhadoo_ops.report.summary import summary
from samjhadoo_ops.report.views import attached_views

if TYPE_CHECKING:
    from pathlib import Path

EVIL = "<img src=x onerror=alert(1)> [x](javascript:a) | `` ``` \n# h\n::error::owned\r##[error]x"
WINDOW = "window: in the window: it is <b>Friday</b>; overridden: a|b"
RESULT = {"outcome": "succeeded", "exit_code": 0, "release": RELEASE, "digest": "sha256:1"}


def run(
    path: Path,
    events: list[Any],
    *,
    mode: Any = "lines",
    task: str = "deploy",
    error: Any = None,
    **variables: str,
) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    console = Console(mode, out=out, err=err)
    told = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(path), **variables}
    with attached_views(console, task, told):
        for event, text, fields in events:
            if text:
                console.event(event, text, **fields)
            else:
                console.state(event, **fields)
        if error:
            console.failure(error)
        else:
            console.result("succeeded", 0, "release is deployed", release=RELEASE, digest="sha256:1")
    return out.getvalue(), err.getvalue()


def failed(text: str) -> DeploymentFailed:
    failure = FailureReport(reason=text, phase="canary", logs=(text, "::error::x"), schema=text)
    return DeploymentFailed(text, changed=text, hint=text, details=(text,), failure=failure.document())


def test_the_summary_of_a_good_deploy() -> None:
    told = progress([*GOOD, ("result", "release is deployed", RESULT)])
    lines = summary(told, task="deploy", text="release is deployed").splitlines()
    assert lines[:9] == [
        "## ✅ deploy: succeeded",
        "",
        "release is deployed",
        "",
        "|  |  |",
        "|---|---|",
        f"| Release | `{RELEASE}` |",
        "| Digest | `sha256:1` |",
        "| Deploy | `1` |",
    ]
    assert "| canary | 9 | 2 | 0 | 0 |" in lines
    assert "| baseline | 126 | 0 | 1 | 0 |" in lines
    window = next(line for line in lines if "`window`" in line)
    assert r"overridden: a\|b" in window.replace("\\:", ":")
    assert "<b>" not in window.replace("\\<", "")
    assert "<summary>1 gates passed or skipped</summary>" in lines


def test_a_failed_deploy_shows_why_and_what_next(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    path.write_text("before\n")
    out, err = run(path, BACK, error=failed("too many errors"))
    said = path.read_text()
    assert said.startswith("before\n## ❌ deploy: rolled back")
    assert "- **Reason**: too many errors" in said
    assert "**Next**: `too many errors`" in said
    assert out == ""
    annotations = [line for line in err.splitlines() if line.startswith("::")]
    assert annotations[:2] == [
        f"::warning title=deploy%3A gate overridden::{WINDOW}",
        "::warning title=deploy%3A verdict::verdict FAIL: errors: 22.2 %25 of 9",
    ]
    assert annotations[-1].startswith("::error title=deploy%3A rolled back (exit code 4)::too many errors%0A")


def test_nothing_foreign_becomes_markup_or_a_command(tmp_path: Path) -> None:
    path = tmp_path / "summary.md"
    events = [
        ("build", EVIL, {"version": EVIL}),
        ("gate", f"[warning] x: {EVIL}", {"gate": EVIL, "state": "warning"}),
        ("unknown", EVIL, {}),
    ]
    out, err = run(path, events, error=failed(EVIL))
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(path.read_text())
    assert "<img" not in html
    assert "href" not in html
    assert html.count("<h1>") == 0
    known = ("::warning title=", "::error title=deploy%3A ", "::group::", "::endgroup::")
    for line in (out + err).replace("\r", "\n").splitlines():
        assert not line.strip().startswith("::") or line.startswith(known), line
        assert "##[" not in line or line.startswith("::")


def test_with_json_standard_output_holds_json_alone(tmp_path: Path) -> None:
    out, err = run(tmp_path / "s", [("build", EVIL, {"version": "1"})], mode="json")
    events = [json.loads(line) for line in out.splitlines()]
    assert events[0]["message"] == EVIL.replace("\r", " ")
    assert "##[" not in out
    assert err.splitlines() == ["::notice title=deploy%3A succeeded::release is deployed"]


def test_a_summary_that_cannot_be_written_is_reported_once_and_fails_nothing(tmp_path: Path) -> None:
    out, err = run(tmp_path / "no" / "folder", [])
    assert err.count("the summary could not be written") == 2  # the line, and its annotation
    assert out == "✔ release is deployed\n"


@pytest.mark.parametrize(("task", "written"), [("deploy", True), ("rehearse", True), ("status", False)])
def test_only_some_tasks_are_summarised(tmp_path: Path, task: str, *, written: bool) -> None:
    path = tmp_path / "summary.md"
    run(path, [("rehearsed", "", {"scenario": "a|b", "verdict": "passed", "exit": None})], task=task)
    assert path.exists() is written
    if written:
        assert "| a\\|b | passed |  |" in path.read_text()


def test_ten_annotations_of_a_kind_are_enough(tmp_path: Path) -> None:
    _, err = run(tmp_path / "s", [("unknown", f"value {number}", {}) for number in range(30)])
    assert sum(line.startswith("::warning") for line in err.splitlines()) == 10


def test_outside_of_github_nothing_is_written(tmp_path: Path) -> None:
    _, err = run(tmp_path / "s", [], GITHUB_ACTIONS="", GITHUB_STEP_SUMMARY="")
    assert err == ""


def test_the_result_becomes_the_outputs_of_the_step(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    outputs.write_text("before=1\n")
    run(tmp_path / "s", GOOD, task="push", GITHUB_OUTPUT=str(outputs))
    assert outputs.read_text().splitlines() == [
        "before=1",
        "outcome=succeeded",
        "exit_code=0",
        f"release={RELEASE}",
        "digest=sha256:1",
    ]


def test_the_outputs_of_a_failed_run_have_its_exit_code_and_no_injected_names(
    tmp_path: Path,
) -> None:
    outputs = tmp_path / "outputs"
    console = Console("json", out=io.StringIO(), err=io.StringIO())
    with attached_views(console, "deploy", {"GITHUB_OUTPUT": str(outputs)}):
        console.note(deploy="1\nexit_code=0\r\n")
        console.failure(failed(EVIL))
    assert outputs.read_text().splitlines() == [
        "outcome=rolled_back",
        "exit_code=4",
        "deploy=1 exit_code=0 ",
    ]


def test_waiting_for_a_person_is_a_warning_not_an_error(tmp_path: Path) -> None:
    _, err = run(tmp_path / "s", [], error=WaitingForPerson("who decides?"))
    assert err.splitlines()[0].startswith("::warning title=deploy%3A waiting (exit code 6)::who decides?")


def test_the_events_are_kept_in_a_file_as_json_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    printed, _ = run(tmp_path / "s", GOOD, mode="json")
    out, _ = run(tmp_path / "s", GOOD, SAMJHADOO_EVENTS=str(path), GITHUB_ACTIONS="")
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert kept == [json.loads(line) for line in printed.splitlines()]
    assert "{" not in out


def test_files_that_cannot_be_written_are_reported_once_and_fail_nothing(tmp_path: Path) -> None:
    missing = str(tmp_path / "no" / "file")
    out, err = run(tmp_path / "s", GOOD, GITHUB_OUTPUT=missing, SAMJHADOO_EVENTS=missing, GITHUB_ACTIONS="")
    assert err.count("the events could not be written") == 1
    assert err.count("the outputs could not be written") == 1
    assert out == "✔ release is deployed\n"
