from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

sys.path.insert(0, str(Path(__file__).parents[1] / "database"))

from real_services import running_postgres, running_redis

from samjhadoo_ops.artifacts import flyway_command
from samjhadoo_ops.database.command_line import CommandLine
from samjhadoo_ops.database.flyway import Flyway, Timeouts
from samjhadoo_ops.processes import LOOPBACK, die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from real_services import PostgresServer

    from samjhadoo_ops.database.connection import Connection

    Run = Callable[..., AbstractContextManager["Service"]]

SOURCE = Path(__file__).parents[2] / "docker" / "backend"
SECRET = "whsec_test"
REDIS_PASSWORD = "of-redis"
START_TIME = 60.0


@dataclass
class Service:
    """A running backend."""

    process: subprocess.Popen[str]
    port: int
    connection: Connection
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False, timeout=30))

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.http.request("GET", f"http://{LOOPBACK}:{self.port}{path}")

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
        return self.http.request("POST", f"http://{LOOPBACK}:{self.port}{path}", body=body, headers=headers)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connection.open() as session:
            rows: list[tuple[Any, ...]] = session.execute(statement).fetchall()
            return rows

    def until_up(self) -> None:
        deadline = time.monotonic() + START_TIME
        while True:
            try:
                self.get("/api/v1/version")
            except urllib3.exceptions.HTTPError:
                assert self.process.poll() is None, self.log()
                assert time.monotonic() < deadline, "the backend did not open its port"
                time.sleep(0.01)
            else:
                return

    def log(self) -> list[dict[str, Any]]:
        """What the ended process logged."""
        assert self.process.stdout is not None
        return [json.loads(line) for line in self.process.stdout.read().splitlines()]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def redis_port() -> Iterator[int]:
    with running_redis(REDIS_PASSWORD) as port:
        yield port


@pytest.fixture(scope="session")
def database(postgres_server: PostgresServer) -> Connection:
    """A database with the backend's schema."""
    connection = postgres_server.new_database()
    flyway = Flyway([SOURCE / "db" / "migration"], Timeouts(lock=4, statement=60, run=60))
    run = CommandLine(flyway_command(), flyway, connection, SOURCE).run("migrate")
    assert run.exit_code == 0, run.output
    return connection


@pytest.fixture(scope="session")
def run_service(database: Connection, redis_port: int) -> Run:
    """Runs the backend with further environment variables, until the block ends."""

    @contextmanager
    def run(*, wait: bool = True, **variables: str) -> Iterator[Service]:
        port = free_port()
        secret = {
            "host": database.host,
            "port": database.port,
            "dbname": database.dbname,
            "username": database.username,
            "password": database.password.reveal(),
        }
        environment = {
            **os.environ,
            "DATABASE": json.dumps(secret),
            "REDIS": json.dumps({"host": LOOPBACK, "port": redis_port, "password": REDIS_PASSWORD}),
            "STRIPE_WEBHOOK_SECRET": f"whsec_old,{SECRET}",
            "SERVER_ADDRESS": LOOPBACK,
            "SERVER_PORT": str(port),
            "GIT_SHA": "abc1234",
            "VERSION": "1.2.3",
            **variables,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "samjhadoo_backend"],
            cwd=SOURCE,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(),  # noqa: PLW1509 - calls nothing but system calls
        )
        service = Service(process, port, database)
        try:
            if wait:
                service.until_up()
            yield service
        finally:
            service.http.clear()
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()

    return run


@pytest.fixture(scope="module")
def service(run_service: Run) -> Iterator[Service]:
    """A running backend without faults."""
    with run_service() as running:
        yield running
