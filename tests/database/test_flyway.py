from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from samjhadoo_ops.database.command_line import CommandLine
from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.database.runner import RunTimeoutError
from samjhadoo_ops.environment import Secret
from samjhadoo_ops.errors import ConfigurationError, OpsError

NOWHERE = Connection("127.0.0.1", 1, "app", "ops", Secret("hunter2"))


def flyway(
    tmp_path: Path, *, command: list[str] | None = None, run: float = 10, **settings: str
) -> CommandLine:
    told = Flyway(
        locations=[Path("/project/db/migration"), Path("/project/db/more")],
        timeouts=Timeouts(lock=4, statement=600, run=run),
        settings=settings,
        application="ops-1",
    )
    return CommandLine(command or ["flyway"], told, NOWHERE, tmp_path)


def test_the_command_line_is_complete_without_a_password(tmp_path: Path) -> None:
    options = "-c%20lock_timeout%3D4000%20-c%20statement_timeout%3D600000"

    assert flyway(tmp_path).arguments("info", "validate", ignore=["*:pending"]) == [
        "flyway",
        f"-url=jdbc:postgresql://127.0.0.1:1/app?ApplicationName=ops-1&connectTimeout=10&options={options}",
        "-user=ops",
        "-locations=filesystem:/project/db/migration,filesystem:/project/db/more",
        "-outputType=json",
        "-cleanDisabled=true",
        "-failOnMissingLocations=true",
        "-validateMigrationNaming=true",
        "-postgresql.transactional.lock=false",
        "-ignoreMigrationPatterns=*:future,*:pending",
        "info",
        "validate",
    ]


def test_settings_of_the_environment_are_added_and_replace_defaults(tmp_path: Path) -> None:
    arguments = flyway(
        tmp_path, validateMigrationNaming="false", ignoreMigrationPatterns="*:missing"
    ).arguments("migrate")

    assert "-validateMigrationNaming=false" in arguments
    assert "-validateMigrationNaming=true" not in arguments
    # A release that was rolled back must still validate.
    assert "-ignoreMigrationPatterns=*:missing,*:future" in arguments


def test_a_setting_of_the_tools_own_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"database\.flyway\.url"):
        flyway(tmp_path, url="jdbc:x").arguments("info")


def test_the_process_gets_the_password_and_no_other_flyway_variable(tmp_path: Path) -> None:
    environment = flyway(tmp_path).environment({"FLYWAY_URL": "jdbc:x", "PATH": "/bin"})

    assert environment["FLYWAY_PASSWORD"] == "hunter2"
    assert environment["PATH"] == "/bin"
    assert "FLYWAY_URL" not in environment


def test_a_run_returns_both_streams_and_the_exit_code(tmp_path: Path) -> None:
    script = "import sys; print('{}'); print('log', file=sys.stderr); sys.exit(3)"

    run = flyway(tmp_path, command=[sys.executable, "-c", script]).run("info")

    assert (run.exit_code, run.output, run.log) == (3, "{}\n", "log\n")


def test_a_run_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    started = time.monotonic()

    with pytest.raises(RunTimeoutError, match="migrate_timeout"):
        flyway(tmp_path, command=[sys.executable, "-c", "import time; time.sleep(60)"], run=0.3).run(
            "migrate"
        )

    assert time.monotonic() - started < 30


def test_a_flyway_that_cannot_be_started_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match="could not be started"):
        flyway(tmp_path, command=[str(tmp_path / "missing")]).run("info")
