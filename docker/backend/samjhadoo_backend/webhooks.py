"""Stripe's events: signature checked by Stripe's own code, each event's effect made once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from samjhadoo_backend.database import Connection

TOLERANCE = 300
"""Seconds that an event's signature may be old: Stripe's own default."""

PAYMENT_STATUS = {
    "payment_intent.succeeded": "succeeded",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "canceled",
}

_RECORD = """
    INSERT INTO stripe_events (id, type, api_version, created_at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (id) DO NOTHING
"""
# Stripe does not deliver in order: what an older event says never overwrites what a newer one said.
_PAY = """
    INSERT INTO payments (id, lesson_id, amount, currency, status, last_event_id, last_event_at)
    VALUES (%(id)s, (SELECT id FROM lessons WHERE id = %(lesson)s), %(amount)s, %(currency)s, %(status)s,
            %(event)s, %(at)s)
    ON CONFLICT (id) DO UPDATE
        SET status = excluded.status, amount = excluded.amount, last_event_id = excluded.last_event_id,
            last_event_at = excluded.last_event_at, updated_at = now()
        WHERE payments.last_event_at <= excluded.last_event_at
"""


class EventError(ValueError):
    """What was posted is no event that Stripe signed."""


@dataclass(frozen=True)
class Event:
    """An event of Stripe's, as far as it matters here."""

    id: str
    type: str
    api_version: str | None
    created: datetime
    payload: Mapping[str, Any]

    @property
    def synthetic(self) -> bool:
        """Whether it was made to test the way here: it is recorded, and moves no money."""
        return self.id.startswith("evt_smoke_") or _metadata(self.payload).get("smoke") == "true"


@dataclass(frozen=True)
class Receipt:
    """What became of an event; `lesson` is the one whose page has changed by it."""

    duplicate: bool
    handled: bool
    lesson: int | None = None


def verify(body: bytes, header: str | None, secrets: Sequence[str]) -> Event:
    """Return the event, when one of the secrets signed it within the tolerance.

    The stripe package is imported here, not at start: it costs 8 MiB and 0.15 s.

    Raises:
        EventError: The signature or the body is wrong.
    """
    from stripe import SignatureVerificationError, WebhookSignature

    reason = "no secret"
    for secret in secrets:
        try:
            WebhookSignature.verify_header(body, header, secret, TOLERANCE)
        except (SignatureVerificationError, UnicodeDecodeError) as error:
            reason = str(error)
        else:
            return _parse(body)
    raise EventError(reason)


def _parse(body: bytes) -> Event:
    try:
        document = json.loads(body)
        return Event(
            id=str(document["id"]),
            type=str(document["type"]),
            api_version=document.get("api_version"),
            created=datetime.fromtimestamp(document["created"], UTC),
            payload=dict(document["data"]["object"]),
        )
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise EventError(f"not an event: {error!r}") from error


async def receive(connection: Connection, event: Event) -> Receipt:
    """Record the event and make its effect, both or neither; a second delivery changes nothing."""
    async with connection.transaction():
        # A concurrent delivery of the same event waits here for the first one's commit.
        recorded = await connection.execute(_RECORD, (event.id, event.type, event.api_version, event.created))
        if recorded.rowcount == 0:
            return Receipt(duplicate=True, handled=event.type in PAYMENT_STATUS)
        if event.type not in PAYMENT_STATUS or event.synthetic:
            return Receipt(duplicate=False, handled=event.type in PAYMENT_STATUS)
        lesson = _lesson(event.payload)
        await connection.execute(
            _PAY,
            {
                "id": event.payload.get("id"),
                "lesson": lesson,
                "amount": event.payload.get("amount", 0),
                "currency": event.payload.get("currency", ""),
                "status": PAYMENT_STATUS[event.type],
                "event": event.id,
                "at": event.created,
            },
        )
        return Receipt(duplicate=False, handled=True, lesson=lesson)


def _metadata(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = payload.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _lesson(payload: Mapping[str, Any]) -> int | None:
    text = str(_metadata(payload).get("lesson_id", ""))
    return int(text) if text.isdecimal() and len(text) < 19 else None  # noqa: PLR2004 - fits a bigint
