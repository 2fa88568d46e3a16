"""What was done, in order: append-only objects, one per event, never rewritten.

`<prefix>/<environment>/<service>/<deploy>/<number>-<event>.json`. A mutation has an event before it is
attempted and one when its result is known, so that a run killed at any point can be distinguished from one
that never reached that point.
"""

from __future__ import annotations

import getpass
import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from samjhadoo_ops.redaction import cleaned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.objects import ObjectStore

STARTED = "started"
FINISHED = "finished"
LEFT = "left"
"""The run ended, the deployment continues in ECS."""
READERS = 8
_TEXTS = frozenset({"error", "reason"})
"""Data that may quote what a task has printed."""
_ID = "%Y%m%dT%H%M%S%f"
_KEPT = timedelta(days=90)  # ECS forgets service deployments after that


def this_user(variables: Mapping[str, str] | None = None) -> str:
    """Return who runs this process: the CI actor, or the account's name."""
    variables = os.environ if variables is None else variables
    if variables.get("GITHUB_ACTOR"):
        return variables["GITHUB_ACTOR"]
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def run_url(variables: Mapping[str, str] | None = None) -> str:
    """Return the address of the CI run this process belongs to; empty outside CI."""
    variables = os.environ if variables is None else variables
    if not variables.get("GITHUB_RUN_ID"):
        return ""
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{variables.get('GITHUB_REPOSITORY', '')}/actions/runs/{variables['GITHUB_RUN_ID']}"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in a deployment.

    Attributes:
        data: What it was about.
        token: The number of the lock's acquisition under which it was written; 0 for none.
    """

    number: int
    event: str
    at: datetime
    data: dict[str, Any]
    token: int = 0


@dataclass(frozen=True)
class JournalEntry:
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
        end = self.last(FINISHED)
        return end.at if end else None

    @property
    def kind(self) -> str:
        """Return what it is: `deploy`, `rollback`, `unlock`."""
        return str(self.events[0].data.get("kind", ""))

    @property
    def outcome(self) -> str:
        """Return how it ended, or was left; `unfinished` when neither was recorded."""
        end = self.last(FINISHED) or self.events[-1]
        return str(end.data.get("outcome", "")) if end.event in {FINISHED, LEFT} else "unfinished"

    def last(self, event: str) -> Event | None:
        """Return the last event of a name."""
        return next((each for each in reversed(self.events) if each.event == event), None)


class Recorder:
    """Writes the journal of one deployment, from event `number` on, under the lock's `token` (or 0)."""

    def __init__(
        self, store: ObjectStore, prefix: str, *, deploy: str, clock: Clock, number: int = 0, token: int = 0
    ) -> None:
        self.deploy = deploy
        self.finished = False
        self._store = store
        self._prefix = prefix
        self._clock = clock
        self._number = number
        self._token = token
        self._writing = threading.Lock()

    def write(self, event: str, **data: Any) -> None:
        """Append an event; writing it again after a lost answer writes it once."""
        texts = {name: data[name] for name in _TEXTS if isinstance(data.get(name), str)}
        data |= cleaned(texts)
        with self._writing:
            entry = Event(
                number=self._number, event=event, at=self._clock.now(), data=data, token=self._token
            )
            self._store.create(
                f"{self._prefix}/{self.deploy}/{self._number:04d}-{event}.json",
                msgspec.json.encode(entry, enc_hook=str),
            )
            self._number += 1
            self.finished = event in {FINISHED, LEFT}


class DeploymentJournal:
    """The journal of one service in one environment."""

    def __init__(self, store: ObjectStore, *, prefix: str, environment: str, service: str) -> None:
        self.store = store
        self.prefix = f"{prefix.strip('/')}/{environment}/{service}"

    @property
    def lock_key(self) -> str:
        """Return the key of the service's deployment lock."""
        return f"{self.prefix}.lock.json"

    def recorder(self, kind: str, clock: Clock, *, token: int = 0, **data: Any) -> Recorder:
        """Open the journal of a new deployment with its first event."""
        at = datetime.fromtimestamp(clock.read(), UTC)
        deploy = f"{at:{_ID}}Z-{secrets.token_hex(2)}"
        recorder = Recorder(self.store, self.prefix, deploy=deploy, clock=clock, token=token)
        recorder.write(STARTED, kind=kind, by=this_user(), run=run_url(), **data)
        return recorder

    def reopen(self, entry: JournalEntry, clock: Clock, *, token: int = 0) -> Recorder:
        """Go on with the journal of a deployment whose end was not recorded."""
        number = entry.events[-1].number + 1
        return Recorder(self.store, self.prefix, deploy=entry.deploy, clock=clock, number=number, token=token)

    def entry(self, deploy: str) -> JournalEntry | None:
        """Return a deployment by its id, or None when there is none."""
        keys = list(self.store.keys(f"{self.prefix}/{deploy}/"))
        return self._entry(deploy, keys) if keys else None

    def unfinished(self, now: datetime) -> list[JournalEntry]:
        """Return the last 90 days' deployments without an ending, newest first; `now`: the wall clock's."""
        after = f"{self.prefix}/{now - _KEPT:{_ID}}"
        found = self._keys(after)
        open_ones = sorted((deploy for deploy, keys in found.items() if not _ended(keys)), reverse=True)
        return [self._entry(deploy, found[deploy]) for deploy in open_ones]

    def entries(self, *, limit: int = 0) -> list[JournalEntry]:
        """Return the deployments, the newest first: `limit` at most, all for 0."""
        keys = self._keys()
        newest = sorted(keys, reverse=True)[: limit or None]
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda deploy: self._entry(deploy, keys[deploy]), newest))

    def _keys(self, after: str = "") -> dict[str, list[str]]:
        """Return the keys of each deployment's events."""
        keys: dict[str, list[str]] = {}
        for key in self.store.keys(f"{self.prefix}/", after=after):
            keys.setdefault(key.removeprefix(f"{self.prefix}/").partition("/")[0], []).append(key)
        return keys

    def _entry(self, deploy: str, keys: list[str]) -> JournalEntry:
        bodies = [stored.body for key in sorted(keys) if (stored := self.store.read(key)) is not None]
        return JournalEntry(deploy, tuple(msgspec.json.decode(body, type=Event) for body in bodies))


def _ended(keys: list[str]) -> bool:
    """Return whether a deployment's end is recorded, from its events' keys, which end in the event's name."""
    return any(key.endswith(f"-{FINISHED}.json") for key in keys)
