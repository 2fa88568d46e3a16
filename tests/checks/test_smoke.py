from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from samjhadoo_ops.checks import SmokeFailed, smoke
from samjhadoo_ops.checks.smoke import Answer, judge_health, judge_version
from samjhadoo_ops.environment import Environment, load_environment
from samjhadoo_ops.errors import ExitCode
from samjhadoo_ops.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPENDENCIES = ("database", "redis")
UP = {"status": "UP", "checks": {"database": {"status": "UP"}, "redis": {"status": "UP"}}}


@dataclass
class Backend:
    """Answers in turn what it was given; the last answer again and again."""

    url: str = ""
    health: list[tuple[int, Any]] = field(default_factory=lambda: [(200, UP)])
    version: list[tuple[int, Any]] = field(default_factory=lambda: [(200, {"version": "v2"})])
    asked: list[str] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, Any]:
        self.asked.append(path)
        queue = self.health if path == "/health" else self.version
        return queue.pop(0) if len(queue) > 1 else queue[0]


@pytest.fixture
def backend() -> Iterator[Backend]:
    """A backend of our own, to give wrong answers."""
    made = Backend()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = made.answer(self.path)
            self.send_response(status)
            self.send_header("Location", "/health")
            self.end_headers()
            self.wfile.write(document if isinstance(document, bytes) else json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def env() -> Environment:
    variables = {"SAMJHADOO_SMOKE__ATTEMPTS": "3", "SAMJHADOO_SMOKE__TIMEOUT": "2s"}
    return load_environment("local", root=Path(__file__).parents[2], variables=variables)


def test_a_service_without_a_version_endpoint_is_not_asked_for_its_version(backend: Backend) -> None:
    silent = load_environment(
        "local", root=Path(__file__).parents[2], variables={"SAMJHADOO_SMOKE__VERSION_PATH": ""}
    )

    report = smoke(silent, backend.url, version="v2", wait=no_wait)

    assert (report.ok, report.version) == (True, "")
    assert backend.asked == ["/health"]


def no_wait(_: float) -> None:
    """Do not wait between attempts."""


def test_a_healthy_release_of_the_right_version_passes(env: Environment, backend: Backend) -> None:
    report = smoke(env, f"{backend.url}/", version="v2", wait=no_wait)

    assert report.ok
    assert (report.version, report.attempts) == ("v2", 1)
    assert [check.name for check in report.checks] == ["health", "database", "redis", "version"]
    assert all(check.milliseconds > 0 for check in report.checks)


def test_a_passing_weakness_is_forgiven(env: Environment, backend: Backend) -> None:
    backend.health = [(503, {"status": "DOWN"}), (200, UP)]

    assert smoke(env, backend.url, wait=no_wait).attempts == 2


def test_a_lasting_failure_ends_with_the_attempts(env: Environment, backend: Backend) -> None:
    down = {"status": "DOWN", "checks": {**UP["checks"], "redis": {"status": "DOWN", "reason": "RedisError"}}}
    backend.health = [(503, down)]
    waited: list[float] = []

    with pytest.raises(SmokeFailed) as caught:
        smoke(env, backend.url, version="v2", wait=waited.append)

    assert caught.value.message == f"{backend.url}: health: HTTP 503"
    assert caught.value.details == ("redis: DOWN RedisError",)
    assert caught.value.exit_code == ExitCode.REFUSED
    assert (len(waited), backend.asked.count("/health")) == (2, 3)


def test_another_version_is_a_failure(env: Environment, backend: Backend) -> None:
    with pytest.raises(SmokeFailed, match="version: v2 answers, expected v3"):
        smoke(env, backend.url, version="v3", wait=no_wait)


def test_a_redirection_is_not_followed(env: Environment, backend: Backend) -> None:
    backend.version = [(302, {"version": "v2"})]

    with pytest.raises(SmokeFailed, match="version: HTTP 302"):
        smoke(env, backend.url, wait=no_wait)


def test_a_service_that_is_not_there_is_a_failure(env: Environment) -> None:
    with pytest.raises(SmokeFailed, match="refused"):
        smoke(env, f"http://127.0.0.1:{free_port()}", wait=no_wait)


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param(Answer(200, json.dumps(UP).encode()), [], id="up"),
        pytest.param(Answer(200, b'{"status": "UP"}'), ["database", "redis"], id="dependencies-untold"),
        pytest.param(Answer(200, b"<html>"), ["database", "redis"], id="a-page-of-something-else"),
        pytest.param(
            Answer(200, b'{"checks": {"database": "UP", "redis": []}}'), ["database", "redis"], id="form"
        ),
        pytest.param(Answer(503, json.dumps(UP).encode()), ["health"], id="status-contradicts"),
        pytest.param(Answer(error="timed out"), ["health", "database", "redis"], id="no-answer"),
    ],
)
def test_the_health_response_decides_about_each_dependency(answer: Answer, failed: list[str]) -> None:
    assert [check.name for check in judge_health(answer, DEPENDENCIES) if not check.ok] == failed


def test_spring_boots_health_page_is_understood() -> None:
    page = Answer(
        200, b'{"status": "UP", "components": {"db": {"status": "UP"}, "redis": {"status": "DOWN"}}}'
    )
    assert [(check.name, check.ok) for check in judge_health(page, ["db", "database", "redis"])] == [
        ("health", True),
        ("db", True),
        ("database", True),
        ("redis", False),
    ]


def test_a_health_page_that_hides_its_components_says_how_spring_boot_shows_them() -> None:
    [_, check] = judge_health(Answer(200, b'{"status": "UP"}'), ["database"])
    assert "MANAGEMENT_ENDPOINT_HEALTH_SHOW_COMPONENTS=always" in check.detail
    assert not check.ok


@pytest.mark.parametrize("status", ["DOWN", "OUT_OF_SERVICE", "down", "Unhealthy", "fail"])
def test_a_page_that_reports_a_failure_with_200_is_not_healthy(status: str) -> None:
    page = Answer(200, json.dumps({**UP, "status": status}).encode())
    [health, *others] = judge_health(page, DEPENDENCIES)
    assert (health.ok, health.detail) == (False, f"HTTP 200, but status {status}")
    assert all(check.ok for check in others)


@pytest.mark.parametrize("status", ["UP", "UNKNOWN", "ok", "pass", "Degraded", 200, None, ["DOWN"]])
def test_any_other_status_of_a_page_with_200_is_healthy(status: Any) -> None:
    assert next(judge_health(Answer(200, json.dumps({"status": status}).encode()), [])).ok


@pytest.mark.parametrize("size", [70_000, 1_000_000, 8_000_000])
def test_a_large_health_page_is_read_whole(env: Environment, backend: Backend, size: int) -> None:
    backend.health = [(200, {"components": {"details": "x" * size, **UP["checks"]}})]
    assert smoke(env, backend.url, wait=no_wait).ok


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b" " * (8 * 1024 * 1024 + 1), "the response is larger than 8 MiB"),
        (b"[" * 100_000, "HTTP 200"),
    ],
)
def test_a_page_that_cannot_be_read_is_no_crash(
    env: Environment, backend: Backend, body: bytes, detail: str
) -> None:
    backend.health = [(200, body)]
    with pytest.raises(SmokeFailed) as caught:
        smoke(env, backend.url, wait=no_wait)
    assert detail in caught.value.message or detail == "HTTP 200"
    assert "database: the health response does not mention it" in " ".join(
        (caught.value.message, *caught.value.details)
    )


def test_a_health_response_need_not_mention_dependencies() -> None:
    assert all(check.ok for check in judge_health(Answer(200, b"ok"), []))


@pytest.mark.parametrize(
    ("answer", "expected", "ok"),
    [
        pytest.param(Answer(200, b'{"version": "v2"}'), "v2", True, id="the-one"),
        pytest.param(Answer(200, b'{"version": "v2"}'), "", True, id="any"),
        pytest.param(Answer(200, b'{"version": "v1"}'), "v2", False, id="another"),
        pytest.param(Answer(200, b"{}"), "", False, id="none"),
        pytest.param(Answer(500, b'{"version": "v2"}'), "v2", False, id="error"),
        pytest.param(Answer(error="refused"), "", False, id="no-answer"),
    ],
)
def test_the_version_must_be_present_and_right(answer: Answer, expected: str, ok: bool) -> None:
    assert judge_version(answer, expected).ok == ok
