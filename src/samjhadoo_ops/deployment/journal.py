"""What was done, in order: append-only objects, one per event, never rewritten.

`<prefix>/<environment>/<service>/<deploy>/<number>-<event>.json`. A mutation has an event before it is
attempted and one when its result is known, so that a run killed at any point can be told apart from one
that never reached that point.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.deployment.actor import run_url, this_user

if TYPE_CHECKING:
    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.objects import ObjectStore

STARTED = "started"
FINISHED = "finished"
READERS = 8


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a deployment; `data` holds what it was about."""

    number: int
    event: str
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A deployment as the journal knows it."""

    deploy: str
    events: tuple[Event, ...]

    @property
    def data(self) -> dict[str, Any]:
        """Return everything that is known, later events over earlier ones."""
        merged: dict[str, Any] = {}
        for event in self.events:
            merged |= event.data
        return merged

    @property
    def started(self) -> datetime:
        """Return when it began, on the clock."""
        return self.events[0].at

    @property
    def finished(self) -> datetime | None:
        """Return when it ended, on the clock; None when that was never recorded."""
        return self.events[-1].at if self.events[-1].event == FINISHED else None

    @property
    def outcome(self) -> str:
        """Return how it ended; `unfinished` when its end was never recorded."""
        return str(self.events[-1].data.get("outcome", "")) if self.finished else "unfinished"


class Recorder:
    """Writes the journal of one deployment."""

    def __init__(self, store: ObjectStore, prefix: str, *, deploy: str, clock: Clock) -> None:
        self.deploy = deploy
        self.finished = False
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._number = 0

    def write(self, event: str, **data: Any) -> None:
        """Append an event."""
        entry = Event(number=self._number, event=event, at=self._clock.now(), data=data)
        self._store.create(
            f"{self._prefix}/{self.deploy}/{self._number:04d}-{event}.json",
            msgspec.json.encode(entry, enc_hook=str),
        )
        self._number += 1
        self.finished = self.finished or event == FINISHED


class Journal:
    """The journal of one service in one environment.

    Args:
        prefix: The key prefix of all journals.

    """

    def __init__(self, store: ObjectStore, *, prefix: str, environment: str, service: str) -> None:
        self.store = store
        self.prefix = f"{prefix.strip('/')}/{environment}/{service}"

    @property
    def lock_key(self) -> str:
        """Return the key of the service's deployment lock."""
        return f"{self.prefix}.lock.json"

    def recorder(self, kind: str, clock: Clock, **data: Any) -> Recorder:
        """Open the journal of a new deployment with its first event."""
        at = datetime.fromtimestamp(clock.read(), UTC)
        recorder = Recorder(
            self.store, self.prefix, deploy=f"{at:%Y%m%dT%H%M%S%f}Z-{secrets.token_hex(2)}", clock=clock
        )
        recorder.write(STARTED, kind=kind, by=this_user(), run=run_url(), **data)
        return recorder

    def entries(self, *, limit: int = 0) -> list[Entry]:
        """Return the deployments, the newest first.

        Args:
            limit: How many at most; 0 for all.

        """
        keys: dict[str, list[str]] = {}
        for key in self.store.keys(f"{self.prefix}/"):
            keys.setdefault(key.removeprefix(f"{self.prefix}/").partition("/")[0], []).append(key)
        newest = sorted(keys, reverse=True)[: limit or None]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda deploy: self._entry(deploy, keys[deploy]), newest))

    def _entry(self, deploy: str, keys: list[str]) -> Entry:
        bodies = [stored.body for key in sorted(keys) if (stored := self.store.read(key)) is not None]
        return Entry(deploy, tuple(msgspec.json.decode(body, type=Event) for body in bodies))
