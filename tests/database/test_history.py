from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from samjhadoo_ops.database.history import History, Row, problems

FIRST = Row(
    1, "1", "a", "SQL", "V1__a.sql", 1, "ops", datetime(2026, 1, 2, 3, 4, tzinfo=UTC), 5, success=True
)
SECOND = replace(FIRST, installed_rank=2, version="2", script="V2__b.sql")
VIEW = replace(FIRST, installed_rank=3, version=None, script="R__view.sql")
HALF_WAY = replace(FIRST, installed_rank=4, version="3", script="V3__c.sql", success=False)


@pytest.mark.parametrize(
    ("rows", "version", "applied", "found"),
    [
        pytest.param([], None, [], [], id="nothing-yet"),
        pytest.param([VIEW, SECOND, FIRST], "2", ["V2__b.sql", "R__view.sql"], [], id="they-agree"),
        pytest.param([FIRST], "2", [], ["version 2"], id="version-missing"),
        pytest.param([SECOND, FIRST], "2", ["R__view.sql"], ["R__view.sql"], id="script-missing"),
        pytest.param([HALF_WAY, SECOND], "2", [], ["V3__c.sql failed half-way"], id="failed-row"),
        pytest.param([HALF_WAY], "3", [], ["V3__c.sql", "version 3"], id="failed-row-is-no-version"),
    ],
)
def test_the_history_is_compared_with_flyways_results(
    rows: list[Row], version: str | None, applied: list[str], found: list[str]
) -> None:
    told = list(problems(History(tuple(rows)), version=version, applied=applied))

    assert len(told) == len(found)
    for text, part in zip(told, found, strict=True):
        assert part in text


def test_the_newest_five_rows_are_shown() -> None:
    history = History(tuple(replace(FIRST, installed_rank=rank) for rank in range(9, 0, -1)))

    assert [row.installed_rank for row in history.newest] == [9, 8, 7, 6, 5]


def test_a_repeatable_script_counts_by_its_newest_run() -> None:
    history = History((replace(VIEW, installed_rank=9, success=False), VIEW))

    assert not history.succeeded("R__view.sql")
