"""Records Flyway's start-up archive: `python -m samjhadoo_ops.stack.training RUN_FOLDER`.

This runs once for each version of Flyway and Java, in the background of a started stack and with a PostgreSQL
of its own, so that it leaves nothing in the stack's database.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from samjhadoo_ops.artifacts import flyway
from samjhadoo_ops.processes import LOOPBACK, die_with_parent, free_port
from samjhadoo_ops.stack import postgres
from samjhadoo_ops.stack.plan import HostServers, StackPlan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from samjhadoo_ops.stack.plan import PostgresPlan

_READY_TIME = 30.0
_TICK = 0.05
# What a deployment does (migrate, info, validate), with every kind of migration.
_SCRIPTS = {
    "V1__training.sql": "CREATE TABLE training (id bigint PRIMARY KEY, name text NOT NULL);\n",
    "V2__more.sql": "ALTER TABLE training ADD COLUMN at timestamptz;\nCREATE INDEX at ON training (at);\n",
    "V3__index.sql": "CREATE INDEX CONCURRENTLY training_name ON training (name);\n",
    "V3__index.sql.conf": "executeInTransaction=false\n",
    "R__view.sql": "CREATE OR REPLACE VIEW trained AS SELECT id, name FROM training;\n",
}


def main(servers: HostServers, password: str, run: Path) -> None:
    """Start a PostgreSQL, record how Flyway migrates it, and stop it.

    Raises:
        OpsError: The recording failed.
        OSError: A folder could not be written.
    """
    folder = Path(f"{servers.postgres.folder}-training")
    copy = msgspec.structs.replace(servers.postgres, folder=str(folder))
    port = free_port()
    home = postgres.install(copy)
    with _server(postgres.command(home, folder, port), copy) as process:
        deadline = time.monotonic() + _READY_TIME
        while not postgres.is_ready(folder) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(_TICK)
        with tempfile.TemporaryDirectory(dir=run) as scripts:
            for name, text in _SCRIPTS.items():
                Path(scripts, name).write_text(text)
            url = f"jdbc:postgresql://{LOOPBACK}:{port}/{postgres.NAME}"
            # Everybody on this machine can read a command line.
            flyway.train(flyway.home(), list(_arguments(url, scripts)), {"FLYWAY_PASSWORD": password})


def _arguments(url: str, scripts: str) -> Iterator[str]:
    yield from (
        f"-url={url}",
        f"-user={postgres.NAME}",
        f"-locations=filesystem:{scripts}",
        "-outputType=json",
        "-postgresql.transactional.lock=false",
    )
    yield from ("migrate", "info", "validate")


@contextmanager
def _server(command: list[str], plan: PostgresPlan) -> Iterator[subprocess.Popen[bytes]]:
    """Run a PostgreSQL; stop it at the end and remove its folder."""
    uid, gid = (plan.account.uid, plan.account.gid) if plan.account else (None, None)
    process = subprocess.Popen(
        command,
        cwd=plan.folder,
        preexec_fn=die_with_parent(uid=uid, gid=gid),  # noqa: PLW1509 - there is one thread
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait()
        shutil.rmtree(plan.folder, ignore_errors=True)


if __name__ == "__main__":
    run_folder = Path(sys.argv[1])
    plan = msgspec.json.decode((run_folder / "plan.json").read_bytes(), type=StackPlan)
    if isinstance(plan.servers, HostServers):
        main(plan.servers, plan.password, run_folder)
