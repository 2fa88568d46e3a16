from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.database import answer
from samjhadoo_ops.database.answer import AnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

    Recorded = Callable[[str], str]

ALL = [
    "V1__create_lessons.sql",
    "V2__create_users.sql",
    "V3__create_payments.sql",
    "V4__seed_lessons.sql",
    "V5__index_payments_by_lesson.sql",
    "R__lesson_overview.sql",
]


@pytest.mark.parametrize(
    ("name", "version", "pending", "codes"),
    [
        pytest.param("pending", None, ALL, [], id="an-empty-database"),
        pytest.param("up_to_date", "5", [], [], id="nothing-pending"),
        pytest.param(
            "edited", "5", ["R__lesson_overview.sql"], ["CHECKSUM_MISMATCH"], id="a-script-edited-afterwards"
        ),
        pytest.param("half_way", "7", [], ["FAILED_VERSIONED_MIGRATION"], id="a-script-failed-half-way"),
        pytest.param("future", "6", [], [], id="a-database-ahead-of-the-scripts"),
    ],
)
def test_an_inspection_has_version_pending_scripts_and_objections(
    recorded: Recorded, name: str, version: str | None, pending: list[str], codes: list[str]
) -> None:
    inspection = answer.inspection(answer.read(recorded(name)))

    assert inspection.version == version
    assert [migration.script for migration in inspection.pending] == pending
    assert [invalid.code for invalid in inspection.invalid] == codes
    assert inspection.valid == (not codes)


def test_a_migration_that_is_only_in_the_database_is_called_by_its_version(recorded: Recorded) -> None:
    inspection = answer.inspection(answer.read(recorded("future")))

    assert "V6 add streak" in [migration.script for migration in inspection.migrations]


@pytest.mark.parametrize(
    ("name", "applied", "version"),
    [
        pytest.param("migrated", ALL, "5", id="applied"),
        pytest.param("nothing_to_do", [], "5", id="nothing-to-do"),
    ],
)
def test_a_migration_reports_what_it_applied(
    recorded: Recorded, name: str, applied: list[str], version: str
) -> None:
    result = answer.migrated(answer.read(recorded(name)))

    assert (result.version, result.failure) == (version, None)
    assert [migration.script for migration in result.applied] == applied


def test_a_failed_migration_reports_place_state_and_what_was_applied_before(recorded: Recorded) -> None:
    result = answer.migrated(answer.read(recorded("sql_error")))

    assert [migration.script for migration in result.applied] == ["V6__add_streak.sql"]
    assert result.failure == answer.FlywayFailure(
        code="FAILED_VERSIONED_MIGRATION",
        message='ERROR: relation "lessonz" does not exist',
        sql_state="42P01",
        path="/project/db/migration/V7__broken.sql",
        line=5,
    )


def test_a_migration_that_does_not_say_success_is_a_failure() -> None:
    assert answer.migrated([{"operation": "migrate", "migrations": []}]).failure is not None


@pytest.mark.parametrize(
    ("name", "code", "message", "state"),
    [
        pytest.param(
            "unreachable",
            "DB_CONNECTION",
            "Connection to 127.0.0.1:5432 refused. Check that the hostname and port are correct and that the "
            "postmaster is accepting TCP/IP connections.",
            "08001",
            id="no-database",
        ),
        pytest.param(
            "wrong_user", "DB_CONNECTION", 'FATAL: role "nobodyx" does not exist', "28000", id="wrong-user"
        ),
        pytest.param(
            "no_folder",
            "ERROR",
            "Failed to find filesystem location: /project/db/nowhere (not found)",
            "",
            id="no-folder-of-scripts",
        ),
    ],
)
def test_a_failure_before_any_work_is_read(
    recorded: Recorded, name: str, code: str, message: str, state: str
) -> None:
    failure = answer.failure(answer.read(recorded(name)))

    assert failure is not None
    assert (failure.code, failure.message, failure.sql_state) == (code, message, state)


def test_a_repair_reports_what_it_removed(recorded: Recorded) -> None:
    repaired = answer.repaired(answer.read(recorded("repaired")))

    assert repaired.actions == ("Removed failed migrations",)
    assert [str(migration) for migration in repaired.removed] == ["V7 broken index"]


def test_warnings_before_the_json_are_passed_over(recorded: Recorded) -> None:
    assert answer.read("WARNING: something\n" + recorded("migrated")) == answer.read(recorded("migrated"))


@pytest.mark.parametrize("output", ["", "Killed", "{not json", '{"individualResults": 3}', "[]"])
def test_output_that_is_not_json_is_refused(output: str) -> None:
    with pytest.raises(AnswerError):
        answer.read(output)


def test_an_inspection_needs_both_answers(recorded: Recorded) -> None:
    with pytest.raises(AnswerError, match="validate"):
        answer.inspection(answer.read(recorded("pending"))[:1])
