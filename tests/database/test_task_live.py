"""The real Flyway in real tasks of the emulated cluster, against a real PostgreSQL."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from live_cluster import furnished_emulator, task_project

from samjhadoo_emulator.testing import eventually
from samjhadoo_ops.database.answer import Inspection, Migration
from samjhadoo_ops.database.runner import RunTimeoutError
from samjhadoo_ops.errors import DeploymentFailed, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from live_cluster import TaskProject
    from real_services import PostgresServer

    from samjhadoo_emulator.testing import Emulator

ASLEEP = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
KEY = 7
LOCKED_OUT = f"SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = {KEY} AND NOT granted"
SESSIONS = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'samjhadoo-ops-flyway-%'"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with furnished_emulator(tmp_path_factory.mktemp("cluster")) as found:
        yield found


@pytest.fixture
def project(emulator: Emulator, postgres_server: PostgresServer, tmp_path: Path) -> TaskProject:
    """A project with one script, not yet applied."""
    return task_project(emulator, tmp_path, postgres_server.new_database())


def pending(*scripts: str) -> Inspection:
    """What `validate` would have said, without a task."""
    found = [Migration("", "", "Pending", f"/{script}.sql") for script in scripts]
    return Inspection(None, tuple(found), ())


def test_a_schema_is_migrated_and_verified_by_tasks_alone(project: TaskProject) -> None:
    project.write(R__view="CREATE OR REPLACE VIEW v AS SELECT 1 AS x;")
    schema = project.schema()

    # Its answer is lost, and the request sent again: still it is one task.
    with project.emulator.faults.lose_response("ecs", "RunTask", count=1):
        state = schema.migrate()
    again = schema.migrate()

    assert (state.version, [item.script for item in state.applied]) == ("1", ["V1__start.sql", "R__view.sql"])
    assert (again.version, again.applied) == ("1", ())
    assert [row.script for row in schema.history().newest] == ["R__view.sql", "V1__start.sql"]
    assert project.query("SELECT count(*) FROM flyway_schema_history") == [(2,)]
    assert project.told("migration-task", "operations") == [
        ["info", "validate"],
        ["migrate"],
        ["info", "validate"],
    ]
    family = f"{project.env().service.name}-migrate"
    ecs = project.aws.client("ecs")
    assert len(ecs.list_task_definitions(familyPrefix=family)["taskDefinitionArns"]) == 1
    assert (
        len(ecs.list_tasks(cluster=project.env().service.cluster, desiredStatus="STOPPED")["taskArns"]) == 3
    )


def test_a_script_that_fails_half_way_is_reported_with_its_local_path_and_can_be_repaired(
    project: TaskProject,
) -> None:
    project.write(V2__index="CREATE INDEX CONCURRENTLY broken ON nowhere (id);")
    (project.folder / "V2__index.sql.conf").write_text("executeInTransaction=false\n")
    schema = project.schema()

    with pytest.raises(DeploymentFailed) as failed:
        schema.migrate(pending("V1__start", "V2__index"))
    repaired = schema.repair()

    script = project.folder / "V2__index.sql"
    assert failed.value.message == f'{script}:1: ERROR: relation "nowhere" does not exist (SQL state 42P01)'
    assert failed.value.details == ("   1  CREATE INDEX CONCURRENTLY broken ON nowhere (id);",)
    assert failed.value.changed == (
        "the schema has V1__start.sql, and what V2__index.sql did before it failed, "
        "and its failed row in the history"
    )
    assert "migrate.repair" in failed.value.hint
    assert [str(item) for item in repaired.removed] == ["V2 index"]


def test_a_migration_that_takes_too_long_is_stopped_with_its_session(project: TaskProject) -> None:
    project.write(V1__start="SELECT pg_sleep(120);")

    with pytest.raises(RunTimeoutError, match=r"migrate_timeout \(5.5 s\)"):
        project.schema(DATABASE__MIGRATE_TIMEOUT="5500ms").runner.run("migrate")

    eventually(lambda: not project.query(SESSIONS))


def test_an_interrupt_stops_the_task_and_its_session(project: TaskProject) -> None:
    project.write(V1__start="SELECT pg_sleep(120);")

    def interrupt() -> None:
        eventually(lambda: project.query(ASLEEP))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        project.schema().runner.run("migrate")
    thread.join()

    (arn,) = project.told("stopping", "task")
    (task,) = project.ecs.describe_tasks(cluster=project.cluster, tasks=[arn])["tasks"]
    assert (task["lastStatus"], task["stoppedReason"]) == ("STOPPED", "samjhadoo-ops: interrupted")
    eventually(lambda: not project.query(SESSIONS))


def test_a_migration_that_a_killed_tool_left_is_waited_for(project: TaskProject) -> None:
    project.write(V1__start=f"SELECT pg_advisory_xact_lock({KEY});")
    left = threading.Thread(target=project.schema().runner.run, args=["migrate"])
    with project.connection.open() as session, ThreadPoolExecutor() as pool:
        session.execute(f"SELECT pg_advisory_lock({KEY})")
        left.start()
        eventually(lambda: project.query(LOCKED_OUT))
        asking = pool.submit(project.schema().history)
        eventually(lambda: project.told("waiting", "task") or asking.done())
        session.execute(f"SELECT pg_advisory_unlock({KEY})")
        history = asking.result()
    left.join()

    assert project.told("waiting", "task") == project.told("migration-task", "task")[:1]
    assert history.succeeded("V1__start.sql")


def test_a_task_that_cannot_start_is_refused_with_the_setting_to_correct(project: TaskProject) -> None:
    project.keep_secret(port=None)
    with pytest.raises(Refused, match="lacks a key: .* json key port") as lacking:
        project.schema().migrate()
    assert '"port"' in lacking.value.hint

    project.keep_secret()
    with pytest.raises(Refused, match="log group .* does not exist") as silent:
        project.schema(DATABASE__TASK__LOG_GROUP="/nowhere").inspect()
    assert "database.task.log_group" in silent.value.hint

    schema = project.schema()
    assert schema.inspect().version is None
    repository, ecr = project.env().build.repository, project.aws.client("ecr")
    images = ecr.list_images(repositoryName=repository)["imageIds"]
    ecr.batch_delete_image(repositoryName=repository, imageIds=images)
    with pytest.raises(Refused, match="cannot be pulled: CannotPullContainerError"):
        schema.inspect()
