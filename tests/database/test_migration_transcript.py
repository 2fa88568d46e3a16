from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database import answer
from samjhadoo_ops.database.ecs_task.definition import BEGIN, END
from samjhadoo_ops.database.ecs_task.result import assemble, with_project_paths

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT = 262_144 - 26
"""Bytes that CloudWatch Logs takes in an event."""


def events(answered: str, *, log: str = "", code: int = 0, size: int | None = None) -> list[str]:
    """What a task prints, as the awslogs driver makes events of it: no empty ones, none too long."""
    if size is None:
        size = len(answered.replace("\n", "").encode())
    lines = [*log.split("\n"), BEGIN, *answered.split("\n"), "", f"{END} {code} {size}"]
    return [line[start : start + EVENT] for line in lines if line for start in range(0, len(line), EVENT)]


def test_the_answer_of_a_task_is_read_from_between_its_marks(recorded: Callable[[str], str]) -> None:
    printed = recorded("sql_error")

    found = assemble(events(printed, log="WARNING: one\nWARNING: two", code=1))

    assert (found.complete, found.exit_code, found.log) == (True, 1, "WARNING: one\nWARNING: two")
    assert answer.read(found.answer) == answer.read(printed)


@pytest.mark.parametrize("indent", [None, 2], ids=["one-line", "many-lines"])
def test_an_answer_of_megabytes_is_whole_wherever_its_lines_were_cut(indent: int | None) -> None:
    migrations = [
        {"description": f"Straße {number} \u2028 \\n é", "version": str(number)} for number in range(40_000)
    ]
    printed = json.dumps({"migrations": migrations}, indent=indent, ensure_ascii=False)

    found = assemble(events(printed))

    assert len(printed) > 2_000_000
    assert found.complete
    assert answer.read(found.answer) == [{"migrations": migrations}]


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda lines: lines[:-1], id="the-end-is-not-there-yet"),
        pytest.param(lambda lines: [*lines[:5], *lines[6:]], id="an-event-is-missing"),
        pytest.param(lambda lines: lines[1:], id="the-beginning-is-missing"),
        pytest.param(lambda lines: [], id="nothing-is-there"),
    ],
)
def test_an_answer_that_is_not_all_there_is_none(
    recorded: Callable[[str], str], spoil: Callable[[list[str]], list[str]]
) -> None:
    found = assemble(spoil(events(recorded("pending"))))

    assert (found.complete, found.answer) == (False, "")


def test_lines_between_the_marks_may_look_like_marks() -> None:
    printed = json.dumps({"message": f"\n{BEGIN}\n{END} 0 1"}, indent=1)

    assert answer.read(assemble(events(printed, log=f"{END} 0 0")).answer) == [json.loads(printed)]


def test_the_log_is_without_escape_sequences() -> None:
    assert assemble(["\x1b[1;31mERROR\x1b[0m: \x1b]8;;x\x07no\x1b]8;;\x07"]).log == "ERROR: no"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("/flyway/project/db/V1__a.sql:3", "/home/me/shop/db/V1__a.sql:3", id="in-a-container"),
        pytest.param(
            "at: /tmp/x/rootfs/flyway/project/db/V1__a.sql (/tmp/x/rootfs/flyway/project/db/V1__a.sql)",
            "at: /home/me/shop/db/V1__a.sql (/home/me/shop/db/V1__a.sql)",
            id="in-an-image-without-walls",
        ),
        pytest.param("filesystem:/flyway/project", "filesystem:/home/me/shop", id="the-folder-itself"),
        pytest.param("/flyway/projects/a", "/flyway/projects/a", id="another-folder"),
    ],
)
def test_paths_of_the_image_become_those_of_the_project(text: str, wanted: str) -> None:
    assert with_project_paths(text, Path("/home/me/shop")) == wanted


def test_a_path_that_json_has_to_escape_stays_readable() -> None:
    root = Path('/home/"me"/s\\hop')

    assert (
        json.loads(with_project_paths('{"path": "/flyway/project/a.sql"}', root, in_json=True))["path"]
        == f"{root}/a.sql"
    )


def test_a_long_log_is_put_together_without_delay() -> None:
    words = random.Random(1).choices(["/flyway", "/project", "/a", " ", "\n"], k=200_000)

    assert len(with_project_paths("".join(words), Path("/r"))) > 100_000
