"""A real PostgreSQL and a real Redis for tests, on free ports, ended with the tests."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from samjhadoo_ops.artifacts import postgres_home, redis_server
from samjhadoo_ops.database.connection import Connection
from samjhadoo_ops.environment import Secret
from samjhadoo_ops.processes import LOOPBACK, die_with_parent, free_port
from samjhadoo_ops.stack import postgres
from samjhadoo_ops.stack.plan import PostgresPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

START_TIME = 60.0


@dataclass
class PostgresServer:
    """A server that can be stopped and started again."""

    home: Path
    folder: Path
    plan: PostgresPlan
    password: str
    port: int
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def connection(self) -> Connection:
        return Connection(LOOPBACK, self.port, postgres.NAME, postgres.NAME, Secret(self.password))

    def start(self) -> None:
        account = self.plan.account
        uid, gid = (account.uid, account.gid) if account else (None, None)
        self.process = subprocess.Popen(
            postgres.command(self.home, self.folder, self.port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            preexec_fn=die_with_parent(uid=uid, gid=gid),  # noqa: PLW1509 - the same
        )
        _until(lambda: postgres.is_ready(self.folder), self.process)

    def stop(self) -> None:
        """Stop at once, as a crash or a failover does."""
        if self.process is not None:
            self.process.send_signal(3)  # SIGQUIT: immediate
            self.process.wait(START_TIME)
            self.process = None

    def new_database(self, *, template: str = "template1") -> Connection:
        """Make an empty database, or a copy of another one."""
        name = f"test{next(self._numbers)}"
        with self.connection.open() as session:
            session.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return replace(self.connection, dbname=name)


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    home = postgres_home()
    template = postgres.template(home)
    account = postgres.server_account()
    run = Path(tempfile.mkdtemp(prefix="samjhadoo-test-"))
    folder = postgres.server_folder(account, run)
    plan = PostgresPlan(
        home=str(home),
        template=str(template),
        folder=str(folder),
        account=account,
        copy_home=account is not None and not postgres.reachable(home),
    )
    run.chmod(0o711)
    password = (template / "password").read_text()
    server = PostgresServer(postgres.install(plan), folder, plan, password, free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(run, ignore_errors=True)


@contextmanager
def running_redis(password: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [
            *(str(redis_server()), "--port", str(port), "--bind", LOOPBACK),
            *("--save", "", "--requirepass", password),
        ],
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - calls nothing but system calls
    )
    try:
        _until(lambda: _answers(port, password), process)
        yield port
    finally:
        process.terminate()
        process.wait(START_TIME)


def _answers(port: int, password: str) -> bool:
    import redis

    with redis.Redis(LOOPBACK, port, password=password) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


def _until(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_TIME
    while not ready():
        assert process.poll() is None, f"{process.args} ended with {process.returncode}"
        assert time.monotonic() < deadline, f"{process.args} is not ready after {START_TIME:g} s"
        time.sleep(0.02)
