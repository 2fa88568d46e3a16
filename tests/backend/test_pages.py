from __future__ import annotations

import json
import signal
import socket
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from samjhadoo_ops.processes import LOOPBACK

if TYPE_CHECKING:
    from real_services import PostgresServer

    from conftest import Run, Service


def until_connected(running: Service) -> None:
    """Wait until the backend has taken a request that it goes on to hold up."""
    process, deadline = psutil.Process(running.process.pid), time.monotonic() + 30
    while not any(
        each.laddr.port == running.port and each.status == psutil.CONN_ESTABLISHED
        for each in process.net_connections("tcp")
    ):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_health_tells_of_the_database_and_redis(service: Service) -> None:
    answer = service.get("/health")

    assert answer.status == 200
    document = answer.json()
    assert document["status"] == "UP"
    assert {name: check["status"] for name, check in document["checks"].items()} == {
        "database": "UP",
        "redis": "UP",
    }


def test_the_version_is_the_one_of_the_environment(service: Service) -> None:
    assert service.get("/api/v1/version").json() == {"version": "1.2.3", "git_sha": "abc1234"}


@pytest.mark.parametrize("path", ["/", "/health", "/api/v1/version", "/api/v1/lessons/1", "/nowhere"])
def test_every_answer_carries_the_version(service: Service, path: str) -> None:
    assert service.get(path).headers["X-Version"] == "1.2.3"


def test_a_lesson_is_read_from_the_database_once(service: Service) -> None:
    first, second = service.get("/api/v1/lessons/2"), service.get("/api/v1/lessons/2")

    assert [answer.headers["X-Cache"] for answer in (first, second)] == ["miss", "hit"]
    assert first.json() == second.json()
    assert first.json()["slug"] == "photosynthesis"


@pytest.mark.parametrize("lesson", ["999", str(2**63), "9" * 30, "x"])
def test_a_lesson_that_is_not_there_is_not_found(service: Service, lesson: str) -> None:
    assert service.get(f"/api/v1/lessons/{lesson}").status == 404


@pytest.mark.parametrize("password", ["", "wrong"])
def test_health_fails_with_the_wrong_password_of_redis(
    run_service: Run, redis_port: int, password: str
) -> None:
    place = {"host": "127.0.0.1", "port": redis_port, "password": password}
    with run_service(REDIS=json.dumps(place)) as running:
        health = running.get("/health")
    assert (health.status, health.json()["checks"]["redis"]["status"]) == (503, "DOWN")


def test_pages_are_served_without_redis_while_health_fails(run_service: Run) -> None:
    with run_service(REDIS='{"host": "127.0.0.1", "port": 1}') as running:
        health, page = running.get("/health"), running.get("/api/v1/lessons/1")

    assert (health.status, page.status, page.headers["X-Cache"]) == (503, 200, "miss")
    assert health.json()["checks"]["redis"]["status"] == "DOWN"
    assert health.json()["checks"]["database"]["status"] == "UP"


def test_the_service_survives_a_restart_of_the_database(
    service: Service, postgres_server: PostgresServer
) -> None:
    assert service.get("/health").status == 200

    postgres_server.stop()
    down, page = service.get("/health"), service.get("/api/v1/lessons/3")
    postgres_server.start()

    assert (down.status, down.json()["checks"]["database"]["status"]) == (503, "DOWN")
    assert page.status == 503
    assert service.get("/health").status == 200
    assert service.get("/api/v1/lessons/3").status == 200


def test_a_stop_finishes_the_request_in_flight_and_exits_with_zero(run_service: Run) -> None:
    with run_service(FAULT_LATENCY="1s") as running:
        with socket.create_connection((LOOPBACK, running.port), timeout=30) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: backend\r\nConnection: close\r\n\r\n")
            until_connected(running)
            running.process.send_signal(signal.SIGTERM)
            answer = client.makefile("rb").read()

        assert running.process.wait(30) == 0
        assert answer.startswith(b"HTTP/1.1 200 ")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, running.port))
        assert [line["event"] for line in running.log()] == ["started", "stopped"]


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        pytest.param({"DATABASE": "hunter2"}, "DATABASE is not a JSON object", id="database-is-not-json"),
        pytest.param({"DATABASE": ""}, "no host of the database", id="no-database"),
        pytest.param({"REDIS": "{}"}, "no host of Redis", id="no-redis"),
        pytest.param({"SERVER_PORT": "http"}, "SERVER_PORT is not a number", id="port"),
        pytest.param({"FAULT_ERROR_RATE": "120%"}, "FAULT_ERROR_RATE", id="fault"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_its_name(
    run_service: Run, variables: dict[str, str], reason: str
) -> None:
    with run_service(wait=False, **variables) as running:
        assert running.process.wait(60) == 2
        (line,) = running.log()

    assert line["event"] == "bad-setting"
    assert reason in line["reason"]
    assert "hunter2" not in str(line)
