from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.errors import ConfigurationError
from samjhadoo_ops.processes import free_ports
from samjhadoo_ops.stack.load import LoadGenerator, check_rate

if TYPE_CHECKING:
    from collections.abc import Iterator


class Service:
    """A service that counts its requests; it answers each with the next status, the last one for ever."""

    def __init__(self, *statuses: int, held: bool = False) -> None:
        self.statuses = list(statuses)
        self.requests = threading.Semaphore(0)
        self.let_go = threading.Event()
        if not held:
            self.let_go.set()
        self.url = ""

    def wait_for(self, requests: int) -> None:
        for _ in range(requests):
            assert self.requests.acquire(timeout=20)

    @contextmanager
    def serving(self) -> Iterator[Service]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                service.requests.release()
                service.let_go.wait(20)
                status = service.statuses.pop(0) if len(service.statuses) > 1 else service.statuses[0]
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            self.let_go.set()
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.mark.parametrize(
    ("statuses", "failures"),
    [
        pytest.param([200], {}, id="answered"),
        pytest.param([404], {}, id="a 4xx is the client's fault"),
        pytest.param([503, 200, 500, 500, 200], {"HTTP 503": 1, "HTTP 500": 2}, id="a 5xx is a failure"),
    ],
)
def test_requests_that_failed_are_counted_by_their_reason(
    statuses: list[int], failures: dict[str, int]
) -> None:
    with Service(*statuses).serving() as service:
        with LoadGenerator(service.url, 100) as load:
            service.wait_for(20)
        assert dict(load.failures) == failures
        assert len(load.latencies) == load.requests - sum(failures.values())
        found = load.fields()
    assert (found["requests"], found["failed"]) == (load.requests, sum(failures.values()))
    assert (
        0
        < found["milliseconds"]["median"]
        <= found["milliseconds"]["p95"]
        <= found["milliseconds"]["slowest"]
    )


def test_slow_answers_do_not_lower_the_rate() -> None:
    with Service(200, held=True).serving() as service, LoadGenerator(service.url, 30):
        service.wait_for(30)  # a second's requests are sent, although none has been answered
        service.let_go.set()


def test_without_a_rate_nothing_is_sent() -> None:
    with Service(200).serving() as service:
        with LoadGenerator(service.url, 0) as load:
            pass
        assert (load.requests, load.fields()["milliseconds"]) == (0, {})
        assert load.sentence().startswith("0 requests in ")


def test_a_service_that_is_not_there_fails_for_one_reason() -> None:
    load = LoadGenerator(f"http://127.0.0.1:{free_ports(0)[0]}", 100)
    assert not load.answers()
    with load:
        while load.requests < 5:
            threading.Event().wait(0.01)
    assert len(load.failures) == 1
    assert "refused" in load.sentence()


def test_the_summary_is_one_sentence() -> None:
    with Service(503, 200).serving() as service:
        with LoadGenerator(service.url, 100) as load:
            service.wait_for(3)
        assert load.answers()
        text = load.sentence()
    assert "1 failed; 1 of them: HTTP 503; answered in " in text


@pytest.mark.parametrize("rate", [-1, 0, 1001, float("nan"), float("inf")])
def test_a_rate_that_is_not_possible_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="--rate .*: expected more than 0 and at most 1000"):
        check_rate("--rate", rate)
