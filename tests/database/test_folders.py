from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database.answer import Inspection, Migration, version_order
from samjhadoo_ops.database.folders import callback_folders, callbacks, left_out

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("afterMigrate.sql", "afterMigrate"),
        ("afterMigrate__grants.sql", "afterMigrate"),
        ("2026/beforeEachMigrate.SQL", "beforeEachMigrate"),
        ("afterInfo.sh", "afterInfo"),
        ("afterMigrateError.sql", ""),  # runs only when something failed
        ("afterClean.sql", ""),
        ("aftermigrate.sql", ""),
        ("afterMigrate.sql.conf", ""),
        ("afterMigrate.md", ""),
        ("V1__afterMigrate.sql", ""),
    ],
)
def test_a_callback_is_known_by_its_name(tmp_path: Path, name: str, event: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("SELECT 1;")
    assert [each.state for each in callbacks([tmp_path])] == ([event] if event else [])


@pytest.mark.parametrize(
    ("name", "missed"),
    [
        ("V2__more.java", True),
        ("V2.1__more.sql.txt", True),
        ("R__other.kt", True),
        ("V1__start.sql", False),
        ("V1__copy.sql.bak", False),
        ("V01.0__start.java", False),
        ("V1._2__odd.java", False),
        ("R__view.sql.orig", False),
        ("V2_more.java", False),
        ("Version2.java", False),
    ],
)
def test_a_file_with_a_migrations_name_that_flyway_does_not_list_is_left_out(
    tmp_path: Path, name: str, missed: bool
) -> None:
    (tmp_path / name).write_text("")
    known = [Migration("1", "start", "Success"), Migration("", "view", "Success")]
    assert [path.name for path in left_out([tmp_path], known)] == ([name] if missed else [])


def test_what_runs_depends_on_what_is_pending() -> None:
    events = ("afterMigrate", "beforeEachMigrate", "afterInfo", "afterConnect")
    found = tuple(Migration("", event, event, f"{event}.sql") for event in events)
    pending = Migration("2", "more", "Pending", "V2__more.sql")
    nothing = Inspection("1", (), (), callbacks=found)
    assert [each.script for each in nothing.to_run] == ["afterMigrate.sql"]
    assert nothing.with_plans == ("afterInfo.sql",)
    something = Inspection("1", (pending,), (), callbacks=found)
    assert [each.script for each in something.to_run] == ["V2__more.sql", *(f"{each}.sql" for each in events)]


def test_versions_are_ordered_as_numbers() -> None:
    versions = ["10", "9.1", "2026.01.01", "1.10", "1.9", "1_2"]
    assert sorted(versions, key=version_order) == ["1_2", "1.9", "1.10", "9.1", "10", "2026.01.01"]
    assert version_order("2.0") == version_order("2") == version_order("2.0.0")


@pytest.mark.parametrize(
    ("locations", "folders"),
    [
        ("", []),
        ("filesystem:db/callbacks", ["db/callbacks"]),
        ("filesystem:a, b,", ["a", "b"]),
    ],
)
def test_a_setting_names_other_folders_for_callbacks(locations: str, folders: list[str]) -> None:
    assert callback_folders({"callbackLocations": locations}) == folders
    assert callback_folders({}) == []
