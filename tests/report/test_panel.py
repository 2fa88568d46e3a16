from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from report_runs import BACK, BAKING, CANARY, GOOD, PREPARED, START, progress

from samjhadoo_ops.report.panel import panel, remaining

if TYPE_CHECKING:
    from samjhadoo_ops.report.progress import RunProgress


ALL = {"for all of it": 11940.0}


def drawn(told: RunProgress, *, width: int = 80, now: float | None = START + 600) -> list[str]:
    from rich.console import Console

    out = io.StringIO()
    Console(file=out, width=width, color_system=None, highlight=False).print(
        panel(told, width=width, elapsed=12.0, now=now)
    )
    return out.getvalue().splitlines()


def test_the_panel_of_a_canary_that_is_failing() -> None:
    assert drawn(progress(CANARY)) == [
        "╭─ canary 3717c314a2b7 dep1 ───────────────────────────────────────────────────╮",
        "│ ✔ check  ✔ build  ✔ push  ✔ migrate  ✔ scale up  ✔ test  ● canary  ○ bake    │",
        "│ ○ clean up                                                                   │",
        "│                                                                              │",
        "│ traffic   old  90 % ░░░░░░░░░░░░░░░░░░░░░░░░░░░███ 10 % new                  │",
        "│ tasks     2 of 2 running                                                     │",
        "│ requests            all         5xx       slow                               │",
        "│           canary      9  2 (22.2 %)          0                               │",
        "│           baseline  126           0  1 (0.8 %)                               │",
        "│ verdict   FAIL errors, 22.2 % observed, limit 5 %, 9 canary requests, 8      │",
        "│           emulated min, baseline 0 %                                         │",
        "│ probes    test healthy  production 2 of 5 failed                             │",
        "│ left      2 s (10 min emulated) of the canary                                │",
        "╰─────────────────────────────────────────────────────────────────────── 12 s ─╯",
    ]


@pytest.mark.parametrize("width", [40, 60, 61, 75, 76, 100, 200])
@pytest.mark.parametrize("events", [[], PREPARED[:1], PREPARED, CANARY, BACK, BAKING, GOOD])
def test_no_line_is_broken_at_any_width(width: int, events: list[Any]) -> None:
    lines = drawn(progress(events), width=width)
    assert {len(line) for line in lines} == {min(width, 100)}
    assert lines[0][0] + lines[-1][0] == "╭╰"
    assert len(lines) <= 24 or width < 60


def test_a_rollback_shows_where_it_turned_and_why() -> None:
    said = "\n".join(drawn(progress(BACK), width=100))
    assert "✔ test  ✘ canary  ○ bake" in said
    assert "● rolling back" in said
    assert "why       errors: 22.2 % of 9" in said
    assert "left" not in said


def test_all_is_done_at_the_end() -> None:
    assert {how for _, how in progress(GOOD).stages()} == {"done"}


def test_a_deployment_all_at_once_has_no_canary_in_its_row() -> None:
    told = progress([("watching", "", {**PREPARED[-1][2], "all_at_once": True})])
    assert told.stages() == [("scale up", "now"), ("clean up", "ahead")]


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [
        (CANARY[: len(PREPARED) + 1], 60.0, {"to become healthy": 840.0, "for all of it": 11940.0}),
        (
            CANARY[: len(PREPARED) + 2],
            60.0,
            {"until ECS rolls back by itself": 900.0, **ALL},
        ),
        (CANARY, 600.0, {"of the canary": 600.0, "for all of it": 11400.0}),
        (BAKING, 1800.0, {"of the bake": 3300.0, "for all of it": 10200.0}),
        (BACK, 600.0, {}),
    ],
    ids=["scaling", "paused", "canary", "baking", "rolled-back"],
)
def test_time_left_follows_the_phase(events: list[Any], now: float, expected: dict[str, float]) -> None:
    assert dict(remaining(progress(events), START + now)) == expected


def test_a_real_clock_has_one_time() -> None:
    events = [("watching", "", {**PREPARED[-1][2], "minute": 60.0}), CANARY[len(PREPARED) + 2]]
    assert any("10 min of the canary" in line for line in drawn(progress(events)))


def test_each_phase_has_its_duration() -> None:
    durations = dict(progress(GOOD, each=2.0).durations())
    assert durations["preflight"] == 1.5
    assert durations["CANARY"] == 6.0
    assert "SUCCEEDED" not in durations
