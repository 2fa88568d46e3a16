"""The payment check (plan, 4.2 and 8.2): a release accepts Stripe's webhooks, and no others.

The events are created here and signed by Stripe's own library with the endpoint's secret. They are marked as
synthetic (`evt_smoke_…`, `metadata.smoke`), so that a backend can record them without moving money.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samjhadoo_ops.checks.smoke import PAUSE, Answer, Check, SmokeFailed, reason_of, since

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from samjhadoo_ops.aws import Aws
    from samjhadoo_ops.environment import Environment

TYPE = "payment_intent.succeeded"
OLD = 600
"""Age of an old signature in seconds; Stripe's libraries refuse those older than 300."""

API_VERSIONS = (
    "2026-10-28.endive",
    "2026-08-26.dahlia",
    "2026-02-25.clover",
    "2025-08-27.basil",
    "2025-02-24.acacia",
    "2024-06-20",
    "2024-04-10",
    "2023-10-16",
    "2023-08-16",
    "2022-11-15",
    "2022-08-01",
    "2020-08-27",
)
"""The latest version of each of Stripe's major releases (docs.stripe.com/upgrades); until 2024 each is one.

stripe-go and Stripe.net refuse events of another major release than their own, stripe-java cannot read them.
"""

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
    webhooks = Webhooks(address, secret, env.smoke.timeout)
    versions = (settings.api_version,) if settings.api_version else API_VERSIONS
    for attempt in range(1, env.smoke.attempts + 1):
        checks = _checks(webhooks, versions, required=settings.check == "required")
        failed = [check for check in checks if not check.ok]
        if not failed:
            return checks
        if attempt < env.smoke.attempts:
            wait(PAUSE)
    first, *others = failed
    raise SmokeFailed(
        f"{address}: {first}",
        details=tuple(str(check) for check in others),
        hint="see the service's log; set payments.api_version to that of your endpoint at Stripe, or "
        "payments.check if this service does not receive webhooks",
    )


@dataclass(frozen=True)
class Webhooks:
    """Where a release receives Stripe's events, and the secret that signs them."""

    address: str
    secret: str
    timeout: float

    def send(self, body: str, *, secret: str = "", at: int | None = None) -> Answer:
        """Post an event, signed with this or another secret, now or at another time."""
        from stripe import WebhookSignature

        signature = WebhookSignature.generate_signature_header(body, secret or self.secret, at)
        return _post(self.address, body, str(signature), self.timeout)


def _checks(webhooks: Webhooks, versions: Sequence[str], *, required: bool) -> tuple[Check, ...]:
    """Check with the first of the API versions whose events the release accepts."""
    for version in versions:
        body = _event(version)
        first = webhooks.send(body)
        if first.status not in _REFUSED or first.status in _NOBODY:
            break
    if first.status in _NOBODY and not required:
        detail = f"HTTP {first.status}: this release does not serve webhooks"
        return (_check("webhook", first, ok=True, detail=detail),)
    if first.status not in _TAKEN:
        tried = f", api_version {version}" if version == versions[0] else f", any api_version since {version}"
        detail = f"HTTP {first.status}{tried}" if first.status in _REFUSED else ""
        return (_check("webhook", first, ok=False, detail="" if first.status in _NOBODY else detail),)
    forged = webhooks.send(_event(version), secret=f"whsec_{secrets.token_hex(16)}")
    old = webhooks.send(body, at=int(time.time()) - OLD)
    return (
        _check("webhook", first, ok=True, detail=f"HTTP {first.status}, api_version {version}"),
        _check("webhook delivered twice", *_judged(webhooks.send(body), _TAKEN)),
        _check("webhook with a forged signature", *_judged(forged, _REFUSED)),
        _check("webhook with an old signature", *_judged(old, _REFUSED)),
    )


def _event(version: str) -> str:
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
            "api_version": version,
            "created": now,
            "type": TYPE,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "data": {"object": intent},
        }
    )


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
