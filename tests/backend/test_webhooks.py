from __future__ import annotations

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from stripe import WebhookSignature

if TYPE_CHECKING:
    import urllib3

    from conftest import Run, Service

SECRET = "whsec_test"


def event(kind: str = "payment_intent.succeeded", **changes: Any) -> dict[str, Any]:
    intent = {
        "id": f"pi_{uuid.uuid4().hex}",
        "object": "payment_intent",
        "amount": 9900,
        "currency": "inr",
        "metadata": {"lesson_id": "2"},
    }
    return {
        "id": f"evt_{uuid.uuid4().hex}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": int(time.time()),
        "type": kind,
        "data": {"object": intent},
        **changes,
    }


def deliver(
    service: Service, document: dict[str, Any], *, secret: str = SECRET, at: int | None = None
) -> urllib3.BaseHTTPResponse:
    body = json.dumps(document)
    header = WebhookSignature.generate_signature_header(body, secret, at)
    return service.post("/webhooks/stripe", body.encode(), {"Stripe-Signature": header})


def payments(service: Service, document: dict[str, Any]) -> list[tuple[Any, ...]]:
    intent = document["data"]["object"]["id"]
    return service.query(f"SELECT status, amount, lesson_id FROM payments WHERE id = '{intent}'")


def test_a_payment_is_recorded_and_its_lessons_page_renewed(service: Service) -> None:
    before = service.get("/api/v1/lessons/2").json()["purchases"]
    document = event()

    answer = deliver(service, document)

    assert answer.status == 200
    assert answer.json() == {"received": True, "duplicate": False, "handled": True}
    assert payments(service, document) == [("succeeded", 9900, 2)]
    assert service.get("/api/v1/lessons/2").json()["purchases"] == before + 1


def test_the_same_event_twice_has_one_effect(service: Service) -> None:
    document = event()

    first, second = deliver(service, document), deliver(service, document)

    assert (first.status, second.status) == (200, 200)
    assert (first.json()["duplicate"], second.json()["duplicate"]) == (False, True)
    assert len(payments(service, document)) == 1


def test_the_same_event_many_times_at_once_has_one_effect(service: Service) -> None:
    document = event()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: deliver(service, document), range(8)))

    assert [answer.status for answer in answers] == [200] * 8
    assert [answer.json()["duplicate"] for answer in answers].count(False) == 1


def test_an_older_event_does_not_overwrite_a_newer_one(service: Service) -> None:
    newer = event()
    older = event("payment_intent.payment_failed", created=newer["created"] - 60, data=newer["data"])

    assert [deliver(service, document).status for document in (newer, older)] == [200, 200]

    assert payments(service, newer) == [("succeeded", 9900, 2)]


def test_an_unknown_type_is_received_and_has_no_effect(service: Service) -> None:
    document = event("customer.created")

    answer = deliver(service, document)

    assert (answer.status, answer.json()["handled"]) == (200, False)
    assert payments(service, document) == []


def test_a_synthetic_event_is_recorded_and_moves_no_money(service: Service) -> None:
    document = event(id=f"evt_smoke_{uuid.uuid4().hex}")

    assert deliver(service, document).json()["handled"] is True

    assert payments(service, document) == []
    assert service.query(f"SELECT count(*) FROM stripe_events WHERE id = '{document['id']}'") == [(1,)]


def test_while_a_secret_is_rolled_the_old_one_still_counts(service: Service) -> None:
    assert deliver(service, event(), secret="whsec_old").status == 200


@pytest.mark.parametrize(
    "delivery",
    [
        pytest.param({"secret": "whsec_wrong"}, id="wrong-secret"),
        pytest.param({"at": int(time.time()) - 600}, id="old-timestamp"),
    ],
)
def test_a_signature_that_does_not_hold_is_refused(service: Service, delivery: dict[str, Any]) -> None:
    document = event()

    assert deliver(service, document, **delivery).status == 400
    assert payments(service, document) == []


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="no-header"),
        pytest.param({"Stripe-Signature": "nonsense"}, id="nonsense"),
        pytest.param({"Stripe-Signature": "t=x,v1="}, id="bad-timestamp"),
    ],
)
def test_a_header_that_is_none_is_refused(service: Service, headers: dict[str, str]) -> None:
    assert service.post("/webhooks/stripe", json.dumps(event()).encode(), headers).status == 400


def test_a_body_changed_by_one_byte_is_refused(service: Service) -> None:
    body = json.dumps(event())
    header = WebhookSignature.generate_signature_header(body, SECRET)

    answer = service.post(
        "/webhooks/stripe", body.replace("9900", "9901").encode(), {"Stripe-Signature": header}
    )

    assert answer.status == 400


@pytest.mark.parametrize(
    "body", ["{}", "[]", "null", "not json", '{"id": "evt_1", "type": "x", "created": 1}']
)
def test_a_signed_body_that_is_no_event_is_refused(service: Service, body: str) -> None:
    header = WebhookSignature.generate_signature_header(body, SECRET)

    assert service.post("/webhooks/stripe", body.encode(), {"Stripe-Signature": header}).status == 400


def test_without_a_secret_stripe_is_asked_to_come_again(run_service: Run) -> None:
    with run_service(STRIPE_WEBHOOK_SECRET="") as running:
        assert deliver(running, event()).status == 503
