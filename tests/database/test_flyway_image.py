"""Flyway from its image: what `docker run` is told, and the real image where there is an engine."""

from __future__ import annotations

import io
import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.artifacts import pins
from samjhadoo_ops.console import Console
from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.database.image import LABEL, DockerImage
from samjhadoo_ops.database.schema import Schema
from samjhadoo_ops.environment import Secret, load_environment
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, Refused
from samjhadoo_ops.testing.plugin import refuse_or_skip

if TYPE_CHECKING:
    from pathlib import Path

    from real_services import PostgresServer

VERSION = pins.flyway().version
ASLEEP = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
SECONDS = 60.0


def runner(folder: Path, connection: Connection, image: str = "flyway/flyway:1") -> DockerImage:
    flyway = Flyway([folder], Timeouts(5, 60, SECONDS), application="ops-1")
    return DockerImage(image, flyway, connection, folder)


NOWHERE = Connection("127.0.0.1", 1, "app", "ops", Secret("hunter2"))


def test_the_scripts_are_mounted_where_they_are_and_no_password_is_on_the_command_line(
    tmp_path: Path,
) -> None:
    (tmp_path / "flyway.toml").touch()
    command = runner(tmp_path, NOWHERE).command("info", "validate", ignore=["*:pending"])

    assert command[:20] == [
        *("docker", "run", "--rm", "--init", "--name", "ops-1", "--label", f"{LABEL}=ops-1"),
        *("--network", "host", "--env", "REDGATE_DISABLE_TELEMETRY", "--env", "FLYWAY_PASSWORD"),
        *("--mount", f"type=bind,source={tmp_path},target={tmp_path},readonly"),
        *("--mount", f"type=bind,source={tmp_path}/flyway.toml,target={tmp_path}/flyway.toml,readonly"),
        *("--workdir", str(tmp_path)),
    ]
    assert command[20:22] == ["flyway/flyway:1", "-skipCheckForUpdate"]
    assert command[-2:] == ["info", "validate"]
    assert "hunter2" not in " ".join(command)
    assert runner(tmp_path, NOWHERE).environment({})["FLYWAY_PASSWORD"] == "hunter2"


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("127.0.0.1", "host.docker.internal"),
        ("localhost", "host.docker.internal"),
        ("::1", "host.docker.internal"),
        ("db.internal", "db.internal"),
    ],
)
def test_docker_desktop_reaches_this_machine_by_another_name(tmp_path: Path, host: str, wanted: str) -> None:
    command = runner(tmp_path, replace(NOWHERE, host=host)).command("info", desktop=True)

    assert "--network" not in command
    assert any(word.startswith(f"-url=jdbc:postgresql://{wanted}:1/app?") for word in command)


def test_the_image_that_the_settings_name_is_of_the_pinned_version() -> None:
    assert load_environment("local", variables={}).database.flyway_image == f"flyway/flyway:{VERSION}"


def test_without_docker_the_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ConfigurationError, match="docker cannot be run") as refused:
        runner(tmp_path, NOWHERE).run("info")

    assert "database.runner" in refused.value.hint


def test_a_missing_folder_is_reported_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="gone") as refused:
        runner(tmp_path / "gone", NOWHERE).run("info")

    assert "[database] migrations" in refused.value.hint


@pytest.fixture(scope="module")
def flyway_image(engine: Any) -> str:
    """Flyway's image, the stand-in or the original; where containers are required it must be there."""
    from docker.errors import ImageNotFound

    names = (f"samjhadoo-airgap/flyway:{VERSION}", f"flyway/flyway:{VERSION}")
    for name in names:
        try:
            engine.images.get(name)
        except ImageNotFound:
            continue
        return name
    missing = f"none of the images {' and '.join(names)} is there: docker/airgap/build makes the first"
    return refuse_or_skip(missing)


@pytest.mark.containers
def test_the_image_migrates_verifies_and_fails_as_the_command_line_does(
    flyway_image: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "V1__start.sql").write_text("CREATE TABLE t (id bigint);")
    (tmp_path / "flyway.toml").write_text('[flyway]\ntable = "flyway_schema_history"\n')
    schema = Schema(
        DockerImage(
            flyway_image,
            Flyway([tmp_path], Timeouts(5, 60, SECONDS)),
            postgres_server.new_database(),
            tmp_path,
        ),
        Console(out=io.StringIO(), err=io.StringIO()),
        [tmp_path],
    )

    state = schema.migrate()
    (tmp_path / "V2__broken.sql").write_text("ALTER TABLE nowhere ADD x integer;")
    with pytest.raises(DeploymentFailed, match=r"/V2__broken\.sql:1: ERROR: relation .nowhere."):
        schema.migrate()

    assert (state.version, [item.script for item in state.applied]) == ("1", ["V1__start.sql"])
    assert [row.script for row in schema.history().rows] == ["V1__start.sql"]


@pytest.mark.containers
def test_an_interrupt_removes_the_container_and_ends_its_session(
    flyway_image: str, engine: Any, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    (tmp_path / "V1__slow.sql").write_text("SELECT pg_sleep(120);")
    connection = postgres_server.new_database()
    image = DockerImage(flyway_image, Flyway([tmp_path], Timeouts(5, 600, 600)), connection, tmp_path)

    def found(statement: str) -> list[Any]:
        with connection.open() as session:
            return list(session.execute(statement).fetchall())

    def interrupt() -> None:
        eventually(lambda: found(ASLEEP))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        image.run("migrate")
    thread.join()

    application = image.flyway.application
    eventually(lambda: not found(f"SELECT 1 FROM pg_stat_activity WHERE application_name = '{application}'"))
    assert engine.containers.list(all=True, filters={"label": f"{LABEL}={application}"}) == []


@pytest.mark.containers
def test_a_missing_image_is_refused(engine: Any, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1/flyway could not be run") as refused:
        runner(tmp_path, NOWHERE, "127.0.0.1:1/flyway").run("info")

    assert "database.flyway_image" in refused.value.hint
