"""The real Flyway against a real PostgreSQL."""

from __future__ import annotations

import io
import shutil
import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from samjhadoo_ops.artifacts import flyway_command
from samjhadoo_ops.console import Console
from samjhadoo_ops.database.command_line import CommandLine
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.database.risks import find_pending_risks
from samjhadoo_ops.database.schema import Schema, SchemaState
from samjhadoo_ops.database.script import read_script
from samjhadoo_ops.environment import load_environment
from samjhadoo_ops.errors import ConfigurationError, DeploymentFailed, ExitCode, OpsError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from real_services import PostgresServer

    from samjhadoo_ops.database.connection import Connection
    from samjhadoo_ops.environment import Environment

SCRIPTS = Path(__file__).parents[2] / "docker" / "backend" / "db" / "migration"
MINIMAL = {"V1__start.sql": "CREATE TABLE t (id bigint PRIMARY KEY);"}


@dataclass
class Project:
    """A database of its own and scripts of its own."""

    runner: CommandLine
    console: Console
    folder: Path

    @property
    def schema(self) -> Schema:
        return Schema(self.runner, self.console, [Path(each) for each in self.runner.flyway.locations])

    @property
    def connection(self) -> Connection:
        return self.runner.connection

    def write(self, **scripts: str) -> None:
        for name, text in scripts.items():
            (self.folder / f"{name}.sql").write_text(text)

    def with_timeouts(self, **seconds: float) -> Project:
        return self.told(timeouts=replace(self.runner.flyway.timeouts, **seconds))

    def with_settings(self, **settings: str) -> Project:
        return self.told(settings=settings)

    def told(self, **arguments: Any) -> Project:
        return replace(self, runner=replace(self.runner, flyway=replace(self.runner.flyway, **arguments)))

    def query(self, statement: str) -> list[tuple[object, ...]]:
        with self.connection.open() as session:
            rows: list[tuple[object, ...]] = session.execute(statement).fetchall()
            return rows


def project(server: PostgresServer, folder: Path, *, template: str = "template1") -> Project:
    flyway = Flyway([folder], Timeouts(lock=4, statement=60, run=60))
    runner = CommandLine(flyway_command(), flyway, server.new_database(template=template), folder)
    return Project(runner, Console(out=io.StringIO(), err=io.StringIO()), folder)


@pytest.fixture
def small(postgres_server: PostgresServer, tmp_path: Path) -> Project:
    """A project with one script, not yet applied."""
    for name, text in MINIMAL.items():
        (tmp_path / name).write_text(text)
    return project(postgres_server, tmp_path)


@pytest.fixture(scope="module")
def backend(postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The backend's scripts, applied."""
    folder = shutil.copytree(SCRIPTS, tmp_path_factory.mktemp("backend") / "migration")
    made = project(postgres_server, folder)
    state = made.schema.migrate()
    assert state.version == "5"
    assert [item.script for item in state.applied] == [
        *sorted(path.name for path in SCRIPTS.glob("V*.sql")),
        "R__lesson_overview.sql",
    ]
    return made


@pytest.fixture
def edited(postgres_server: PostgresServer, backend: Project, tmp_path: Path) -> Project:
    """A copy of the migrated backend that a test may spoil."""
    folder = shutil.copytree(backend.folder, tmp_path / "migration")
    return project(postgres_server, folder, template=backend.connection.dbname)


def test_the_backends_scripts_leave_a_history_and_a_valid_index(backend: Project) -> None:
    history = backend.schema.history()

    assert [row.installed_rank for row in history.newest] == [6, 5, 4, 3, 2]
    assert all(row.success for row in history.rows)
    assert backend.query(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'payments_lesson_id_idx'::regclass"
    ) == [(True,)]
    assert backend.query("SELECT count(*) FROM lesson_overview") == [(3,)]


def test_a_second_migration_does_nothing(backend: Project) -> None:
    state = backend.schema.migrate()

    assert (state.version, state.applied, state.pending) == ("5", (), ())


def test_a_script_edited_after_it_ran_is_refused_with_both_checksums(edited: Project) -> None:
    (applied,) = (row for row in edited.schema.history().rows if row.version == "2")
    script = edited.folder / "V2__create_users.sql"
    script.write_text(script.read_text() + "-- edited\n")

    with pytest.raises(Refused, match="V2__create_users.sql was edited") as caught:
        edited.schema.migrate()

    assert f"checksum {applied.checksum} in the database" in caught.value.message
    assert "migrate.repair" in caught.value.hint
    assert len(edited.schema.history().rows) == 6


def test_a_release_that_was_rolled_back_accepts_the_newer_schema(edited: Project) -> None:
    edited.write(V6__newer="ALTER TABLE users ADD COLUMN streak integer;")
    edited.schema.migrate()
    (edited.folder / "V6__newer.sql").unlink()

    state = edited.schema.migrate()

    assert (state.version, state.applied) == ("6", ())


def test_a_script_with_an_sql_error_is_reported_with_file_line_state_and_statement(edited: Project) -> None:
    edited.write(
        V6__good="ALTER TABLE users ADD COLUMN streak integer;",
        V7__broken="CREATE TABLE half (id bigint);\n\nALTER TABLE lessonz\n    ADD COLUMN level integer;\n",
    )

    with pytest.raises(DeploymentFailed) as caught:
        edited.schema.migrate()

    error = caught.value
    assert error.exit_code == ExitCode.ROLLED_BACK
    assert error.message == (
        f'{edited.folder}/V7__broken.sql:3: ERROR: relation "lessonz" does not exist (SQL state 42P01)'
    )
    assert error.details == ("   3  ALTER TABLE lessonz", "   4      ADD COLUMN level integer;")
    assert error.changed == "the schema has V6__good.sql"
    # The history is clean, and so is the schema.
    assert [row.script for row in edited.schema.history().failed] == []
    assert edited.query("SELECT to_regclass('half')") == [(None,)]


def test_a_repeatable_script_that_was_not_applied_again_is_not_reported_as_applied(small: Project) -> None:
    small.write(R__comment="COMMENT ON TABLE t IS 'one';")
    small.schema.migrate()
    small.write(R__comment="COMMENT ON TABLE t IS 'two';", V2__broken="ALTER TABLE nowhere ADD x int;")

    with pytest.raises(DeploymentFailed) as caught:
        small.schema.migrate()

    assert caught.value.changed == "nothing"


def test_a_placeholder_without_a_value_is_reported_with_its_setting(small: Project) -> None:
    small.write(V2__greet="COMMENT ON TABLE t IS '${greeting}';")

    with pytest.raises(
        DeploymentFailed, match=r"No value provided for placeholder: \$\{greeting\}"
    ) as caught:
        small.schema.migrate()

    assert '[database.flyway]: "placeholders.greeting" = "VALUE"' in caught.value.hint
    assert small.with_settings(**{"placeholders.greeting": "hello"}).schema.migrate().version == "2"


def test_scripts_may_be_in_folders_of_their_own(small: Project) -> None:
    (small.folder / "2026").mkdir()
    (small.folder / "2026" / "V2__more.sql").write_text("ALTER TABLE t ADD COLUMN more integer;")

    assert small.schema.migrate().version == "2"
    assert small.schema.history().succeeded("V2__more.sql")


def test_a_script_that_fails_outside_a_transaction_has_to_be_repaired(edited: Project) -> None:
    edited.write(V6__broken_index="CREATE INDEX CONCURRENTLY broken ON paymentz (lesson_id);")
    (edited.folder / "V6__broken_index.sql.conf").write_text("executeInTransaction=false\n")

    with pytest.raises(DeploymentFailed, match="paymentz") as failed:
        edited.schema.migrate()
    with pytest.raises(Refused, match=r"V6__broken_index\.sql failed half-way") as refused:
        edited.schema.migrate()
    with pytest.raises(DeploymentFailed, match=r"V6__broken_index\.sql failed half-way"):
        edited.schema.verify(SchemaState("5"))
    (edited.folder / "V6__broken_index.sql").unlink()
    with pytest.raises(Refused, match="V6 broken index failed half-way earlier.*no longer exists"):
        edited.schema.migrate()

    half_way = (
        "the schema has what V6__broken_index.sql did before it failed, and its failed row in the history"
    )
    assert (failed.value.changed, refused.value.changed) == (half_way, "")
    assert "migrate.repair" in failed.value.hint
    assert "migrate.repair" in refused.value.hint

    assert [str(item) for item in edited.schema.repair().removed] == ["V6 broken index"]
    assert edited.schema.verify(SchemaState("5")).version == "5"


def test_a_lock_that_is_held_fails_the_script_and_not_the_service(edited: Project) -> None:
    edited.write(V6__alter="ALTER TABLE users ADD COLUMN streak integer;")

    with edited.connection.open() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE users IN ACCESS SHARE MODE")
        with pytest.raises(DeploymentFailed, match="55P03") as caught:
            edited.with_timeouts(lock=0.2).schema.migrate()

    assert "lock_timeout" in caught.value.hint


def test_an_interrupt_ends_the_migration_and_its_session(edited: Project) -> None:
    edited.write(V6__slow="SELECT pg_sleep(60);")
    asleep = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"

    def interrupt() -> None:
        deadline = time.monotonic() + 30
        while not edited.query(asleep) and time.monotonic() < deadline:
            time.sleep(0.05)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        edited.schema.migrate()
    thread.join()

    statement = "SELECT 1 FROM pg_stat_activity WHERE application_name = "
    deadline = time.monotonic() + 30
    while left := edited.query(f"{statement}'{edited.runner.flyway.application}'"):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)
    assert edited.query(asleep) == []


def test_a_migration_that_takes_too_long_reports_what_was_applied_meanwhile(
    edited: Project, recorded: Callable[[str], str]
) -> None:
    answer, stuck = recorded("pending"), "import time; time.sleep(60)"
    script = f"import sys\nif 'migrate' in sys.argv: {stuck}\nprint({answer!r})"
    stuck_at_it = replace(edited.with_timeouts(run=1).runner, command=[sys.executable, "-c", script])

    with pytest.raises(DeploymentFailed, match="migrate_timeout") as caught:
        replace(edited, runner=stuck_at_it).schema.migrate()

    assert caught.value.changed.startswith("the schema has V1__create_lessons.sql, V2__create_users.sql")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param("V2_badly_named", "Invalid SQL filenames", id="a-name-flyway-does-not-know"),
        pytest.param("V1__twice", "more than one migration with version 1", id="a-version-twice"),
    ],
)
def test_scripts_with_invalid_names_are_refused(small: Project, spoil: str, message: str) -> None:
    small.write(**{spoil: "SELECT 1;"})

    with pytest.raises(Refused, match=message):
        small.schema.migrate()

    assert small.schema.history().rows == ()


def test_undo_scripts_are_refused_with_the_setting_that_leaves_them_alone(small: Project) -> None:
    small.write(U1__undo="SELECT 1;")

    with pytest.raises(Refused, match="Invalid SQL filenames") as caught:
        small.schema.migrate()

    assert "validateMigrationNaming" in caught.value.hint


def test_a_folder_that_is_missing_is_refused(small: Project) -> None:
    shutil.rmtree(small.folder)
    small.folder.mkdir()

    with pytest.raises(Refused, match="gone") as refused:
        small.told(locations=[small.folder / "gone"]).schema.inspect()
    assert "[] for a service without a schema" in refused.value.hint


def test_a_setting_flyway_does_not_know_is_a_wrong_configuration(small: Project) -> None:
    with pytest.raises(ConfigurationError, match=r"(?s)Failed to configure"):
        small.with_settings(nonsense="1").schema.inspect()


def test_a_database_that_does_not_answer_is_refused(small: Project) -> None:
    nowhere = replace(small.runner, connection=replace(small.connection, port=1))

    with pytest.raises(Refused, match=r"127\.0\.0\.1:1/\S+ does not answer: Connection"):
        replace(small, runner=nowhere).schema.migrate()


@pytest.mark.parametrize(
    ("callback", "applied", "changed"),
    [
        pytest.param("beforeMigrate", [], "nothing", id="before"),
        pytest.param("beforeEachMigrate__check", [], "nothing", id="before-each-with-a-description"),
        pytest.param("afterEachMigrate", [], "nothing", id="after-each"),
        pytest.param(
            "afterVersioned", ["V1__start.sql"], "the schema has V1__start.sql", id="after-versioned"
        ),
        pytest.param("afterMigrate", ["V1__start.sql"], "the schema has V1__start.sql", id="after"),
    ],
)
def test_a_failing_callback_is_reported_with_its_file_line_and_statement(
    small: Project, callback: str, applied: list[str], changed: str
) -> None:
    small.write(**{callback: "SELECT 1;\n\nSELECT nosuch();\n"})

    with pytest.raises(DeploymentFailed, match=r"ERROR: function nosuch\(\) does not exist") as caught:
        small.schema.migrate()

    assert caught.value.message.startswith(f"{small.folder}/{callback}.sql:3: ")
    assert caught.value.message.endswith("(SQL state 42883)")
    assert caught.value.details[-1] == "   3  SELECT nosuch();"
    assert caught.value.changed == changed
    assert [row.script for row in small.schema.history().rows] == applied


def test_a_callback_that_failed_fails_again_until_it_is_corrected(small: Project) -> None:
    small.write(afterMigrate="INSERT INTO seen VALUES (1);")
    with pytest.raises(DeploymentFailed, match="afterMigrate.sql"):
        small.schema.migrate()

    with pytest.raises(DeploymentFailed, match="afterMigrate.sql") as again:
        small.schema.migrate()
    assert again.value.changed == "nothing"

    small.write(afterMigrate="CREATE TABLE IF NOT EXISTS seen (i int); INSERT INTO seen VALUES (1);")
    assert small.schema.migrate().version == "1"
    assert small.schema.migrate().applied == ()
    assert small.query("SELECT count(*) FROM seen") == [(2,)]


@pytest.mark.parametrize(
    "event", ["beforeInfo", "afterInfo", "beforeValidate", "afterValidate", "afterConnect"]
)
def test_a_callback_that_fails_while_the_schema_is_read_is_no_unreachable_database(
    small: Project, event: str
) -> None:
    small.write(**{event: "SELECT nosuch();"})

    with pytest.raises(
        Refused, match=f"the callback {event} failed: .*/{event}.sql:1: ERROR: function nosuch"
    ):
        small.schema.inspect()


def test_a_placeholder_of_a_callback_without_a_value_is_reported_with_the_callback(small: Project) -> None:
    small.write(afterMigrate="SELECT '${greeting}';")

    with pytest.raises(DeploymentFailed, match="afterMigrate") as caught:
        small.schema.migrate()

    assert '"placeholders.greeting" = "VALUE"' in caught.value.hint


def test_callbacks_may_be_in_a_folder_of_their_own(small: Project) -> None:
    (small.folder / "callbacks").mkdir()
    small.write(afterMigrate="SELECT 1;")
    small.write(**{"callbacks/afterMigrate__two": "CREATE TABLE IF NOT EXISTS two (i int);"})
    elsewhere = small.with_settings(callbackLocations="filesystem:callbacks")
    schema = replace(elsewhere.schema, callback_folders=[small.folder / "callbacks"])
    schema.migrate()

    assert [each.script for each in schema.inspect().callbacks] == ["afterMigrate__two.sql"]
    assert small.query("SELECT count(*) FROM two") == [(0,)]


def test_a_version_applied_out_of_order_does_not_lower_the_schemas_version(small: Project) -> None:
    small.write(V3__later="SELECT 3;")
    assert small.schema.migrate().version == "3"
    small.write(V2__earlier="SELECT 2;")
    with pytest.raises(Refused, match="V2__earlier.sql is older than the schema") as caught:
        small.schema.migrate()
    assert "outOfOrder" in caught.value.hint

    out_of_order = small.with_settings(outOfOrder="true").schema
    state = out_of_order.migrate()

    assert (state.version, [item.script for item in state.applied]) == ("3", ["V2__earlier.sql"])
    assert out_of_order.verify(SchemaState(out_of_order.validate().version)).version == "3"


@pytest.mark.parametrize(
    "name", ["V2__more.java", "V2_1__more.class", "V2__more.sql.txt", "R__more.kt", "V9__a.psql"]
)
def test_a_file_that_flyway_leaves_out_is_refused(small: Project, name: str) -> None:
    (small.folder / name).write_text("class V2__more {}")

    with pytest.raises(Refused, match=f"{name} has a migration's name, but Flyway does not run such files"):
        small.schema.migrate()

    assert small.schema.history().rows == ()


@pytest.mark.parametrize(
    "name", ["V1__start.sql.bak", "V1__start.md", "V1__start.sql.conf", "README.md", "notes.java"]
)
def test_a_file_that_is_no_migration_or_belongs_to_one_is_accepted(small: Project, name: str) -> None:
    (small.folder / name).write_text("executeInTransaction=true\n")

    assert small.schema.migrate().version == "1"


def test_a_folder_without_scripts_is_refused_for_a_schema_that_has_migrations(small: Project) -> None:
    small.schema.migrate()
    (small.folder / "V1__start.sql").unlink()

    with pytest.raises(Refused, match=f"the schema is at V1, but {small.folder} has no scripts") as caught:
        small.schema.migrate()

    assert "[database] migrations" in caught.value.hint


def test_an_empty_folder_is_no_mistake_for_a_schema_without_migrations(small: Project) -> None:
    (small.folder / "V1__start.sql").unlink()

    assert small.schema.migrate().version is None


def test_the_tables_are_measured_when_something_is_to_run(small: Project) -> None:
    assert small.schema.described(small.schema.validate()).sizes == {}
    small.schema.migrate()
    assert small.schema.described(small.schema.validate()).sizes is None, "nothing is pending"
    with small.connection.open() as session:
        session.execute("CREATE SCHEMA app; CREATE TABLE app.log (i int, t text) PARTITION BY RANGE (i)")
        session.execute("CREATE TABLE app.log1 PARTITION OF app.log FOR VALUES FROM (0) TO (9999999)")
        session.execute("INSERT INTO app.log SELECT n, 'text' FROM generate_series(1, 10000) n")
        session.execute("CREATE MATERIALIZED VIEW app.m AS SELECT * FROM app.log")
    small.write(V2__more="CREATE INDEX ON app.log1 (i);")

    sizes = small.schema.described(small.schema.validate()).sizes

    assert sizes is not None
    assert sizes["public.t"] == 0
    assert sizes["app.log"] == sizes["app.log1"] > 100_000
    assert sizes["app.m"] > 100_000


def test_a_table_that_is_locked_leaves_the_sizes_unknown(small: Project) -> None:
    small.schema.migrate()
    small.write(V2__more="SELECT 2;")
    with small.connection.open() as holder:
        holder.execute("BEGIN")
        holder.execute("LOCK TABLE t")
        assert small.schema.described(small.schema.validate()).sizes is None


@pytest.mark.parametrize(
    ("content", "conf", "settings"),
    [
        ("CREATE INDEX CONCURRENTLY i ON t (id);\nDROP INDEX CONCURRENTLY i;", "", {}),
        ("SET lock_timeout = '2s';\nCREATE INDEX CONCURRENTLY i ON t (id);", "", {}),
        (
            "SET lock_timeout = '2s';\nCREATE INDEX CONCURRENTLY i ON t (id);",
            "executeInTransaction: false",
            {},
        ),
        ("SET lock_timeout = '2s';\nCREATE INDEX CONCURRENTLY i ON t (id);", "", {"mixed": "true"}),
        ("REINDEX TABLE CONCURRENTLY t;", "", {}),
        ("REINDEX TABLE CONCURRENTLY t;", "executeInTransaction false", {}),
        ("INSERT INTO t VALUES (1);", "executeInTransactions=false", {}),
        ("COPY t FROM stdin;\n1\n2\n\\.\nINSERT INTO t VALUES (3);", "", {}),
        ("SELECT '${nope}', '${Known}', '${flyway:user}';", "", {}),
        ("SELECT '${Known}', '${flyway:user}';", "", {}),
        ("SELECT '${nope}';", "placeholderReplacement=false", {}),
        ("\\restrict abc\nSELECT 1;", "", {}),
        ("SELECT 'ä';".encode("latin-1"), "", {}),
        ("SELECT 'ä';".encode("latin-1"), "encoding=ISO-8859-1", {}),
    ],
)
def test_flyway_fails_where_the_reader_finds_trouble_and_nowhere_else(
    small: Project, content: str | bytes, conf: str, settings: dict[str, str]
) -> None:
    settings = {"placeholders.known": "x", **settings}
    path = small.folder / "V2__more.sql"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    if conf:
        path.with_name("V2__more.sql.conf").write_text(conf)
    try:
        small.with_settings(**settings).schema.migrate()
        failed = False
    except OpsError:
        failed = True
    assert bool(read_script(path, settings).troubles) is failed


def test_the_databases_own_description_decides_what_a_script_rewrites(small: Project) -> None:
    small.write(
        V1__start="CREATE TABLE t (name varchar(20) NOT NULL, age int); INSERT INTO t VALUES ('a', 1);"
    )
    small.schema.migrate()
    small.write(
        V2__wider="ALTER TABLE t ALTER name TYPE varchar(50), ALTER name SET NOT NULL;",
        V3__other="ALTER TABLE t ALTER age TYPE bigint;",
        V4__new="CREATE TABLE z (i int); CREATE INDEX ON z (i);",
    )
    known = small.schema.described(small.schema.validate())

    found = find_pending_risks(known, with_small_table(0), alone=False)
    assert [str(each).partition(": ")[0] for each in found] == ["V3__other.sql:1"]
    assert find_pending_risks(known, with_small_table(1), alone=False) == []


def with_small_table(mebibytes: int) -> Environment:
    env = load_environment("local", variables={})
    settings = msgspec.structs.replace(env.gates.migrations, small_table=mebibytes)
    return msgspec.structs.replace(env, gates=msgspec.structs.replace(env.gates, migrations=settings))
