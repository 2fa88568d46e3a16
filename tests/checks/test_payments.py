from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from samjhadoo_ops.checks import SmokeFailed, payments
from samjhadoo_ops.environment import Environment, load_environment
from samjhadoo_ops.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "whsec_of_the_tests"


class NoAws:
    """A fake: the secret of these tests is in an environment variable, AWS is never asked."""

    def client(self, _: str) -> object:
        raise AssertionError("AWS was asked")


@dataclass
class Backend:
    """A backend of our own; `answer` gets body and signature header and returns a status."""

    answer: Callable[[bytes, str], int]
    url: str = ""
    taken: list[bytes] = field(default_factory=list)


def takes_what_stripe_signed(body: bytes, header: str) -> int:
    from stripe import SignatureVerificationError, WebhookSignature

    try:
        WebhookSignature.verify_header(body.decode(), header, SECRET, 300)
    except SignatureVerificationError:
        return 400
    return 200


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend(takes_what_stripe_signed)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            made.taken.append(body)
            self.send_response(made.answer(body, self.headers["stripe-signature"]))
            self.end_headers()

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


def environment(
    monkeypatch: pytest.MonkeyPatch, check: str = "required", api_version: str = ""
) -> Environment:
    monkeypatch.setenv("STRIPE_SECRET", SECRET)
    variables = {
        "SAMJHADOO_PAYMENTS__WEBHOOK_SECRET": "env:STRIPE_SECRET",
        "SAMJHADOO_PAYMENTS__API_VERSION": api_version,
        "SAMJHADOO_PAYMENTS__CHECK": check,
        "SAMJHADOO_SMOKE__ATTEMPTS": "2",
    }
    return load_environment("local", root=Path(__file__).parents[2], variables=variables)


def check(env: Environment, url: str) -> list[str]:
    return [str(each) for each in payments(env, NoAws(), url, wait=lambda _: None)]


def test_a_backend_that_takes_signed_events_only_passes(backend, monkeypatch):
    assert check(environment(monkeypatch), backend.url) == [
        "webhook: HTTP 200, api_version 2026-10-28.endive",
        "webhook delivered twice: HTTP 200",
        "webhook with a forged signature: HTTP 400",
        "webhook with an old signature: HTTP 400",
    ]


def test_every_event_is_marked_as_synthetic(backend, monkeypatch):
    check(environment(monkeypatch), backend.url)
    assert all(b'"id": "evt_smoke_' in body and b'"smoke": "true"' in body for body in backend.taken)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda *_: 500, "webhook: HTTP 500"),
        (lambda *_: 404, "webhook: HTTP 404"),
        (lambda *_: 200, "webhook with a forged signature: HTTP 200"),
        (lambda *_: 302, "webhook: HTTP 302"),
    ],
    ids=["fails", "has-no-webhooks", "believes-everybody", "redirects"],
)
def test_a_backend_is_refused_that(backend, monkeypatch, answer, told):
    backend.answer = answer
    with pytest.raises(SmokeFailed) as refused:
        check(environment(monkeypatch), backend.url)
    assert refused.value.message == f"{backend.url}/webhooks/stripe: {told}"
    assert SECRET not in str(refused.value)


def test_a_backend_that_refuses_the_second_delivery_is_refused(backend, monkeypatch):
    seen: set[bytes] = set()

    def once(body: bytes, header: str) -> int:
        first = body not in seen
        seen.add(body)
        return takes_what_stripe_signed(body, header) if first else 409

    backend.answer = once
    with pytest.raises(SmokeFailed, match="webhook delivered twice: HTTP 409"):
        check(environment(monkeypatch), backend.url)


def test_a_first_failure_may_pass_away(backend, monkeypatch):
    def late(body: bytes, header: str) -> int:
        return 503 if len(backend.taken) == 1 else takes_what_stripe_signed(body, header)

    backend.answer = late
    assert len(check(environment(monkeypatch), backend.url)) == 4


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_missing_path_is_reported_and_passes_if_webhooks_are_optional(backend, monkeypatch, status):
    backend.answer = lambda *_: status
    assert check(environment(monkeypatch, "served"), backend.url) == [
        f"webhook: HTTP {status}: this release does not serve webhooks"
    ]


def test_nothing_is_posted_when_it_is_off(backend, monkeypatch):
    assert check(environment(monkeypatch, "off"), backend.url) == []
    assert backend.taken == []


def test_a_backend_that_does_not_answer_is_refused(monkeypatch):
    with pytest.raises(SmokeFailed, match="refused"):
        check(environment(monkeypatch), "http://127.0.0.1:9")


def takes_only(version: str) -> Callable[[bytes, str], int]:
    """Return a backend that takes events as stripe-go and Stripe.net do: of its own major release only."""

    def answer(body: bytes, header: str) -> int:
        found = str(json.loads(body)["api_version"])
        own = version.partition(".")[2]
        same = found.partition(".")[2] == own if own else found == version
        return takes_what_stripe_signed(body, header) if same else 400

    return answer


@pytest.mark.parametrize(
    "version",
    [
        "2026-09-30.endive",
        "2026-03-25.dahlia",
        "2025-09-30.clover",
        "2025-08-27.basil",
        "2024-09-30.acacia",
        "2024-06-20",
        "2023-10-16",
        "2020-08-27",
    ],
)
def test_a_backend_that_takes_one_major_release_of_the_api_passes(backend, monkeypatch, version):
    backend.answer = takes_only(version)
    first, *others = check(environment(monkeypatch), backend.url)
    assert first.partition("api_version ")[2][10:] == version[10:]
    assert len(others) == 3


def test_with_the_endpoint_s_version_set_only_that_one_counts(backend, monkeypatch):
    backend.answer = takes_only("2025-08-27.basil")
    assert len(check(environment(monkeypatch, api_version="2025-07-30.basil"), backend.url)) == 4
    backend.taken.clear()
    with pytest.raises(SmokeFailed, match=r"webhook: HTTP 400, api_version 2026-10-28.endive$") as refused:
        check(environment(monkeypatch, api_version="2026-10-28.endive"), backend.url)
    assert "set payments.api_version" in refused.value.hint
    assert len(backend.taken) == 2  # once an attempt


def test_a_backend_that_refuses_what_stripe_signed_is_refused(backend, monkeypatch):
    backend.answer = lambda *_: 400
    with pytest.raises(SmokeFailed, match="webhook: HTTP 400, any api_version since 2020-08-27"):
        check(environment(monkeypatch), backend.url)


@pytest.mark.parametrize("text", ["basil", "2025-08-27-basil", "2025-8-27", "latest"])
def test_what_is_no_version_of_the_api_is_a_mistake_in_the_settings(monkeypatch, text):
    with pytest.raises(ConfigurationError, match="payments.api_version: expected a version of Stripe's API"):
        environment(monkeypatch, api_version=text)
