"""What was done, in order: append-only objects, one per event, never rewritten.

`<prefix>/<environment>/<service>/<deploy>/<number>-<event>.json`. A mutation has an event before it is
attempted and one when its result is known, so that a run killed at any point can be distinguished from one
that never reached that point.
"""

from __future__ import annotations

import getpass
import os
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from samjhadoo_ops.deployment.objects import Unreadable, decoded
from samjhadoo_ops.redaction import cleaned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from samjhadoo_ops.clock import Clock
    from samjhadoo_ops.deployment.objects import ObjectStore

STARTED = "started"
FINISHED = "finished"
LEFT = "left"
"""The run ended, the deployment continues in ECS."""
_TEXTS = frozenset({"error", "reason"})
"""Data that may quote what a task has printed."""
_ID = "%Y%m%dT%H%M%S%f"
_DEPLOY = re.compile(r"\d{8}T\d{12}Z-[0-9a-f]{4}")
_KEY = re.compile(rf"/(?P<deploy>{_DEPLOY.pattern})/(?P<number>\d{{4,9}})-(?P<event>[a-z-]+)\.json")
_KEPT = timedelta(days=90)  # ECS forgets service deployments after that
_CHUNK = 50  # deployments whose keys are about one page of S3's
_SKEW = timedelta(minutes=30)
_PASSING = frozenset(
    {"pushing", "migrating", "registering", "canary", "answering-hook", "hook-answered", "minutes"}
)
"""Events that add nothing to what is known of a deployment in the end."""


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


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened in a deployment.

    Attributes:
        data: What it was about.
        token: The number of the lock's acquisition under which it was written; 0 for none.
        damage: Why its object cannot be read; then it has no data.
    """

    number: int
    event: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    data: dict[str, Any]
    token: int = 0
    damage: str = ""


class _Known(msgspec.Struct, frozen=True):
    """The data that is read back from events, and of which type it must be."""

    kind: str = ""
    by: str = ""
    how: str = ""
    release: str = ""
    digest: str = ""
    deployment: str = ""
    outcome: str = ""
    task_definition: str = ""
    from_task_definition: str | None = None
    exit_code: int = 0
    since: float = 0.0
    known: list[str] = []
    minutes: list[Any] = []


class StoredEvent:
    """An event in the store: its number and name are its key's, the rest is read when it is asked for.

    An object that cannot be read is reported, and counts as an event without data.
    """

    def __init__(self, journal: DeploymentJournal, key: str, deploy: str, number: int, event: str) -> None:
        self.number = number
        self.event = event
        self._journal = journal
        self._key = key
        self._deploy = deploy

    @property
    def at(self) -> datetime:
        """Return when it happened; when the deployment began, if that cannot be read."""
        return self._found.at

    @property
    def data(self) -> dict[str, Any]:
        """Return what it was about."""
        return self._found.data

    @property
    def token(self) -> int:
        """Return the number of the lock's acquisition under which it was written."""
        return self._found.token

    @property
    def damage(self) -> str:
        """Return why its object cannot be read; empty when it can."""
        return self._found.damage

    @cached_property
    def _found(self) -> Event:
        try:
            return self._read()
        except Unreadable as error:
            self._journal.damaged(self._key, str(error))
            at = begun_at(self._deploy) or datetime.now(UTC)
            return Event(number=self.number, event=self.event, at=at, data={}, damage=str(error))

    def _read(self) -> Event:
        stored = self._journal.store.read(self._key)
        if stored is None:
            raise Unreadable("it has vanished")
        event = decoded(stored, Event)
        try:
            msgspec.convert(event.data, _Known)
        except msgspec.ValidationError as error:
            raise Unreadable(f"data: {error}") from error
        return event


@dataclass(frozen=True)
class JournalEntry:
    """A deployment as the journal knows it.

    Attributes:
        events: In order, one at least.
    """

    deploy: str
    events: tuple[Event | StoredEvent, ...]

    @property
    def data(self) -> dict[str, Any]:
        """Return what is known of the deployment, later events over earlier ones."""
        return self.known(*{event.event for event in self.events} - _PASSING)

    def known(self, *events: str) -> dict[str, Any]:
        """Return what the events of these names hold, later ones over earlier ones; no others are read."""
        merged: dict[str, Any] = {}
        for event in self.events:
            if event.event in events:
                merged |= event.data
        return merged

    @property
    def started(self) -> datetime:
        """Return when it began, on the clock."""
        return next((event for event in self.events if not event.damage), self.events[0]).at

    @property
    def finished(self) -> datetime | None:
        """Return when it ended, on the clock; None when that was never recorded."""
        end = self.last(FINISHED)
        return end.at if end else None

    @property
    def kind(self) -> str:
        """Return what it is: `deploy`, `rollback`, `unlock`."""
        return str(self.known(STARTED).get("kind", ""))

    @property
    def outcome(self) -> str:
        """Return how it ended, or was left; `unfinished` when neither was recorded."""
        end = self.last(FINISHED) or self.events[-1]
        if end.event not in {FINISHED, LEFT}:
            return "unfinished"
        return "unreadable" if end.damage else str(end.data.get("outcome", ""))

    def last(self, event: str) -> Event | StoredEvent | None:
        """Return the last event of a name."""
        return next((each for each in reversed(self.events) if each.event == event), None)

    @property
    def ended(self) -> bool:
        """Return whether its end was recorded; nothing is read for that."""
        return self.last(FINISHED) is not None

    @property
    def headline(self) -> dict[str, Any]:
        """Return what a list of deployments shows: kind, author, release and the like."""
        return self.known(STARTED, "pushing", "pushed", FINISHED)

    @property
    def task_definition(self) -> str:
        """Return the task definition that it deployed, or was about to; empty for none."""
        return str(self.known(STARTED, "registered", "starting").get("task_definition", ""))


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
    """The journal of one service in one environment.

    Args:
        report: Called with the key of an object that cannot be read, and why.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        prefix: str,
        environment: str,
        service: str,
        report: Callable[[str, str], None] = lambda _key, _why: None,
    ) -> None:
        self.store = store
        self.prefix = f"{prefix.strip('/')}/{environment}/{service}"
        self._report = report
        self._reported: set[str] = set()

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
        return next(iter(self._entries(self.store.keys(f"{self.prefix}/{deploy}/"))), None)

    def entries(self, *, limit: int = 0) -> list[JournalEntry]:
        """Return the deployments, the newest first: `limit` at most, all for 0."""
        return list(islice(self.past(), limit or None))

    def past(self, now: datetime | None = None) -> PastDeployments:
        """Return the deployments, the newest first; `now` is the wall clock's."""
        return PastDeployments(self, now or datetime.now(UTC))

    def deploys(self, since: datetime | None) -> list[str]:
        """Return the ids of the deployments that began since a moment, oldest first; None for all."""
        after = f"{self.prefix}/{since:{_ID}}" if since else ""
        folders = self.store.folders(f"{self.prefix}/", after=after)
        found = (folder.removeprefix(f"{self.prefix}/").rstrip("/") for folder in folders)
        return [deploy for deploy in found if _DEPLOY.fullmatch(deploy) and begun_at(deploy)]

    def between(self, first: str, last: str) -> list[JournalEntry]:
        """Return the deployments from one id to another, oldest first."""
        end = f"{self.prefix}/{last}0"  # "0" follows the slash that separates the events
        keys = self.store.keys(f"{self.prefix}/", after=f"{self.prefix}/{first}")
        return self._entries(takewhile(lambda key: key < end, keys))

    def damaged(self, key: str, why: str) -> None:
        """Report an object that cannot be read, once."""
        if key not in self._reported:
            self._reported.add(key)
            self._report(key, why)

    def _entries(self, keys: Iterable[str]) -> list[JournalEntry]:
        """Return the deployments of some keys, in the order of their ids; other keys are ignored."""
        found: dict[str, list[StoredEvent]] = {}
        for key in keys:
            match = _KEY.fullmatch(key, len(self.prefix))
            if match and begun_at(match["deploy"]):
                event = StoredEvent(self, key, match["deploy"], int(match["number"]), match["event"])
                found.setdefault(match["deploy"], []).append(event)
        return [
            JournalEntry(deploy, tuple(sorted(events, key=lambda event: event.number)))
            for deploy, events in sorted(found.items())
        ]


class PastDeployments:
    """A service's deployments, the newest first: the journal is listed only as far as it is looked at."""

    def __init__(self, journal: DeploymentJournal, now: datetime) -> None:
        self._journal = journal
        self._now = now
        self._windows = [now - _KEPT, None]
        self._ahead: list[str] = []
        self._listed: list[JournalEntry] = []

    def __iter__(self) -> Iterator[JournalEntry]:
        number = 0
        while True:
            if number < len(self._listed):
                yield self._listed[number]
                number += 1
            elif not self._go_back():
                return

    def _go_back(self) -> bool:
        """List the next deployments further back; return False when there are no more."""
        while self._windows and not self._ahead:
            known = self._listed[-1].deploy if self._listed else ""
            deploys = self._journal.deploys(self._windows.pop(0))
            self._ahead = [deploy for deploy in deploys if not known or deploy < known]
        self._ahead, chunk = self._ahead[:-_CHUNK], self._ahead[-_CHUNK:]
        if chunk:
            self._listed += reversed(self._journal.between(chunk[0], chunk[-1]))
        return bool(chunk)

    def unfinished(self) -> list[JournalEntry]:
        """Return the last 90 days' deployments without an ending.

        A run settles them before it starts a deployment of its own: nothing older than one that has ended
        is unfinished, unless its writer's clock was behind; S3 accepts 15 minutes on either side.
        """
        found: list[JournalEntry] = []
        oldest = self._now - _KEPT
        for entry in self:
            begun = begun_at(entry.deploy)
            if begun is None or begun < oldest:
                break
            if not entry.ended:
                found.append(entry)
            elif entry.last("starting"):
                oldest = max(oldest, begun - _SKEW)
        return found


def begun_at(deploy: str) -> datetime | None:
    """Return when a deployment began, by the wall clock, from its id; None if it is none."""
    try:
        return datetime.strptime(deploy.partition("Z")[0], _ID).replace(tzinfo=UTC)
    except ValueError:
        return None
