"""The payment check (plan, 4.2 and 8.2): a release accepts Stripe's webhooks, and no others.

The events are created here and signed by Stripe's own library with the endpoint's secret. They are marked as
synthetic (`evt_smoke_…`, `metadata.smoke`), so that a backend can record them without moving money.
"""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

from samjhadoo_ops.checks.smoke import PAUSE, Answer, Check, SmokeFailed, reason_of, since

if TYPE_CHECKING:
    from collections.abc import Callable

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

TYPE = "payment_intent.succeeded"
OLD = 600
"""Age of an old signature in seconds; Stripe's libraries refuse those older than 300."""

_NOBODY = frozenset({404, 405, 501})
"""Statuses of a path that does not exist or does not support POST (RFC 9110, section 15.6.2)."""
_REFUSED = range(400, 500)
_TAKEN = range(200, 300)


def payments(
    env: Environment, aws: Aws, url: str, *, wait: Callable[[float], None] = time.sleep
) -> tuple[Check, ...]:
    """Post events to the backend at `url`, up to the configured attempts, and return the passed checks.

    Raises:
        SmokeFailed: A check failed in the last attempt.
        ConfigurationError: The webhook's secret cannot be resolved.
    """
    settings = env.payments
    if settings.check == "off":
        return ()
    secret = settings.webhook_secret.resolve(aws).reveal()
    address = f"{url.rstrip('/')}{settings.webhook_path}"
    for attempt in range(1, env.smoke.attempts + 1):
        checks = _checks(address, secret, timeout=env.smoke.timeout, required=settings.check == "required")
        failed = [check for check in checks if not check.ok]
        if not failed:
            return checks
        if attempt < env.smoke.attempts:
            wait(PAUSE)
    first, *others = failed
    raise SmokeFailed(
        f"{address}: {first}",
        details=tuple(str(check) for check in others),
        hint="see the service's log; set payments.check if this service does not receive webhooks",
    )


def _checks(address: str, secret: str, *, timeout: float, required: bool) -> tuple[Check, ...]:
    body = _event()
    good = _signed(body, secret)
    first = _post(address, body, good, timeout)
    if first.status in _NOBODY and not required:
        return (
            _check(
                "webhook", first, ok=True, detail=f"HTTP {first.status}: this release does not serve webhooks"
            ),
        )
    taken = _check("webhook", first, ok=first.status in _TAKEN)
    if not taken.ok:
        return (taken,)
    forged = _post(address, _event(), _signed(body, f"whsec_{secrets.token_hex(16)}"), timeout)
    old = _post(address, body, _signed(body, secret, at=int(time.time()) - OLD), timeout)
    return (
        taken,
        _check("webhook delivered twice", *_judged(_post(address, body, good, timeout), _TAKEN)),
        _check("webhook with a forged signature", *_judged(forged, _REFUSED)),
        _check("webhook with an old signature", *_judged(old, _REFUSED)),
    )


def _event() -> str:
    """Return an event in Stripe's format (docs.stripe.com/api/events/object), marked as synthetic."""
    now = int(time.time())
    intent = {
        "id": f"pi_smoke_{secrets.token_hex(8)}",
        "object": "payment_intent",
        "amount": 2000,
        "currency": "inr",
        "status": "succeeded",
        "metadata": {"smoke": "true"},
    }
    return json.dumps(
        {
            "id": f"evt_smoke_{secrets.token_hex(8)}",
            "object": "event",
            "api_version": None,
            "created": now,
            "type": TYPE,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "data": {"object": intent},
        }
    )


def _signed(body: str, secret: str, at: int | None = None) -> str:
    from stripe import WebhookSignature

    return str(WebhookSignature.generate_signature_header(body, secret, at))


def _post(address: str, body: str, signature: str, timeout: float) -> Answer:
    import urllib3

    headers = {"connection": "close", "content-type": "application/json", "stripe-signature": signature}
    started = time.perf_counter()
    with urllib3.PoolManager(retries=False, timeout=timeout) as http:
        try:
            response = http.request("POST", address, body=body.encode(), headers=headers, redirect=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Answer(milliseconds=since(started), error=reason_of(error))
    return Answer(response.status, response.data, since(started))


def _judged(answer: Answer, expected: range) -> tuple[Answer, bool]:
    return answer, answer.status in expected


def _check(name: str, answer: Answer, ok: bool, detail: str = "") -> Check:
    text = detail or answer.error or f"HTTP {answer.status}"
    return Check(name, ok, answer.status, round(answer.milliseconds, 1), text)
