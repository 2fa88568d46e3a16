"""Lines that make one event."""

from __future__ import annotations

from typing import Any

import pytest

from samjhadoo_emulator.ecs.tasks.logs import BadPatternError, assembler

LINES = ["[2026-01-02 03:04:05] one", "  at a", "  at b", "[2026-01-02 03:04:06] two"]


@pytest.mark.parametrize(
    "options",
    [
        {"awslogs-datetime-format": "[%Y-%m-%d %H:%M:%S]"},
        {"awslogs-multiline-pattern": r"^\["},
    ],
)
def test_lines_belong_to_the_last_one_that_began_an_event(options: dict[str, str]) -> None:
    putting = assembler(options)
    assert putting is not None
    events = [event for line in LINES if (event := putting.take(line))]
    assert putting.waiting
    assert [*events, putting.rest()] == ["\n".join(LINES[:3]), LINES[3]]
    assert not putting.waiting


def test_an_event_that_is_full_ends_though_no_line_begins_another() -> None:
    putting = assembler({"awslogs-multiline-pattern": "^never"})
    assert putting is not None
    events = [event for _ in range(1000) if (event := putting.take("x" * 999))]
    assert [len(event) for event in events] == [262_117 // 1000 * 1000 - 1] * 3


def test_without_options_every_line_is_an_event() -> None:
    assert assembler({"awslogs-group": "g"}) is None


@pytest.mark.parametrize(
    "options",
    [
        {"awslogs-multiline-pattern": "("},
        {"awslogs-multiline-pattern": "a", "awslogs-datetime-format": "%Y"},
    ],
)
def test_options_that_are_no_pattern_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(BadPatternError):
        assembler(options)


def test_an_event_of_many_lines_arrives_whole(in_lab: Any) -> None:
    async def script(lab: Any) -> None:
        image = lab.image("print('ERROR one\\n  at a\\n  at b\\nERROR two')")
        options = {"awslogs-group": "/app", "awslogs-stream-prefix": "ecs", "awslogs-multiline-pattern": "^E"}
        logging = {"logDriver": "awslogs", "options": options}
        task = lab.run({"name": "app", "image": image, "logConfiguration": logging})
        await lab.status(task, "STOPPED")
        assert lab.aws.events[f"ecs/app/{task.id}"] == ["ERROR one\n  at a\n  at b", "ERROR two"]

    in_lab(script)


def test_a_bad_pattern_stops_the_task(in_lab: Any) -> None:
    async def script(lab: Any) -> None:
        options = {"awslogs-group": "/app", "awslogs-multiline-pattern": "("}
        task = lab.run(lab.shell("true", logConfiguration={"logDriver": "awslogs", "options": options}))
        await lab.status(task, "STOPPED")
        assert task.stopped_reason.startswith(
            "ResourceInitializationError: failed to validate logger args: awslogs could not parse multiline"
        )

    in_lab(script)
