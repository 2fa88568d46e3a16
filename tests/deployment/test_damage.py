"""One object of the journal, or the lock, holds anything at all: every command goes on and names the key."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from deployment_fakes import MemoryObjects
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from past_deployments import FAMILY, past_of

from samjhadoo_ops.clock import Clock
from samjhadoo_ops.deployment.candidates import choose, successes
from samjhadoo_ops.deployment.finish import EndedBefore, ending_of
from samjhadoo_ops.deployment.journal import DeploymentJournal, JournalEntry
from samjhadoo_ops.deployment.lock import DeploymentLock, break_lock, current_owner, read_lock
from samjhadoo_ops.deployment.rollback import schema_version, unsupported
from samjhadoo_ops.deployment.status import for_people, rows
from samjhadoo_ops.deployment.verdict.replay import find

if TYPE_CHECKING:
    from samjhadoo_ops.deployment.ecs import EcsService

DEPLOYS = 6
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
ODD = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\x00\xff\xfe",
    b"{" * 200_000,
    b"[" * 200_000,
    b'{"number":0,"event":"started","at":"2026-12-01T00:00:00","data":{}}',
    b'{"number":0,"event":"started","at":"2026-12-01T00:00:00Z","data":{"kind":7}}',
    b'{"number":0,"event":"finished","at":"2026-12-01T00:00:00Z","data":{"exit_code":77}}',
    b'{"version":9,"events":[]}',
    "\ufeff{}".encode(),
    b" " * (9 * 1024**2),
]


def damaged_events(body: bytes) -> st.SearchStrategy[bytes]:
    """Return an event whose members, or the members of its data, have any JSON as their value."""
    event: dict[str, Any] = json.loads(body)

    def encode(changed: tuple[str, Any]) -> bytes:
        name, value = changed
        inner = {**event, "data": {**event["data"], name: value}}
        return json.dumps({**event, name: value} if name in event else inner).encode()

    names = st.sampled_from([*event, *event["data"], "kind", "release", "task_definition", "exit_code"])
    return st.tuples(names, JSON).map(encode)


class DamagedPast:
    """Six deployments in a journal of which one object is replaced."""

    def __init__(self) -> None:
        self.store = MemoryObjects()
        self.reported: list[str] = []
        written, self.ecs, _ = past_of(self.store, count=DEPLOYS, apart=timedelta(hours=1))
        self.keys = list(self.store.keys(written.prefix))
        self.bodies = {key: found.body for key in self.keys if (found := self.store.read(key))}

    def read(self, key: str, body: bytes) -> None:
        """Do what commands do with the journal when one object holds these bytes."""
        ecs: EcsService = self.ecs
        self.reported = []
        stored = self.store.read(key)
        assert stored is not None
        self.store.replace(key, body, etag=stored.etag)
        try:
            journal = DeploymentJournal(
                self.store,
                prefix="deployments/",
                environment="local",
                service="app",
                report=lambda key, _why: self.reported.append(key),
            )
            self.use(journal, ecs)
        finally:
            changed = self.store.read(key)
            assert changed is not None
            self.store.replace(key, self.bodies[key], etag=changed.etag)

    def use(self, journal: DeploymentJournal, ecs: EcsService) -> None:
        past = journal.past()
        entries = list(past)
        assert len(entries) == DEPLOYS
        assert past.unfinished() == []
        assert len([for_people(row, Clock()) for row in rows(entries)]) == DEPLOYS
        target = choose(successes(ecs, past), past, current=ecs.serving())
        assert target.task_definition == f"{FAMILY}:{DEPLOYS - 1}"
        unsupported(past, target.task_definition)
        assert isinstance(schema_version(past), str)
        assert find(journal, "")[1]
        for entry in entries:
            ended(entry)
            recorder = journal.reopen(entry, Clock())
            assert recorder._number == len(entry.events)


def ended(entry: JournalEntry) -> None:
    """Look up how a deployment ended, as `watch` and `--resume` do."""
    try:
        ending_of(entry)
    except EndedBefore as before:
        assert before.exit_code  # noqa: PT017  # any code but success


@pytest.fixture(scope="module")
def past() -> DamagedPast:
    return DamagedPast()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_bytes_in_any_one_object_stop_nothing(past: DamagedPast, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(past.keys))
    body = data.draw(st.binary(max_size=200) | st.sampled_from(ODD) | damaged_events(past.bodies[key]))
    past.read(key, body)
    assert set(past.reported) <= {key}


@pytest.mark.parametrize("body", ODD[:7] + ODD[10:], ids=lambda body: repr(body[:20]))
def test_an_object_that_cannot_be_read_is_named_once(past: DamagedPast, body: bytes) -> None:
    for key in past.keys[-3:]:
        past.read(key, body)
        assert past.reported in ([key], [])  # a rollback does not read all of them
    past.read(past.keys[0], body)
    assert past.reported == [past.keys[0]]


def test_a_rollback_does_not_pass_a_migration_whose_record_cannot_be_read(past: DamagedPast) -> None:
    key = next(key for key in past.keys if "migrating" in key)  # of the fifth deployment
    stored = past.store.read(key)
    assert stored is not None
    past.store.replace(key, b"\xff", etag=stored.etag)
    journal = DeploymentJournal(past.store, prefix="deployments/", environment="local", service="app")
    try:
        (found,) = unsupported(journal.past(), f"{FAMILY}:4")
    finally:
        changed = past.store.read(key)
        assert changed is not None
        past.store.replace(key, past.bodies[key], etag=changed.etag)
    assert "cannot be read" in found.what


@pytest.mark.parametrize(
    "other", ["notes.txt", "", "zzz/0000-started.json", "20269999T000000000000Z-0000/0000-started.json"]
)
def test_other_objects_beside_the_deployments_are_no_deployments(other: str) -> None:
    store = MemoryObjects()
    journal, _, _ = past_of(store, count=2, apart=timedelta(hours=1))
    store.create(f"{journal.prefix}/{other}", b"")
    newest = journal.entries()[0]
    store.create(f"{journal.prefix}/{newest.deploy}/{other}", b"")
    assert len(journal.entries()) == 2
    assert journal.past().unfinished() == []


def lock(store: MemoryObjects, reported: list[str]) -> DeploymentLock:
    return DeploymentLock(
        store,
        "lock.json",
        lease=60,
        reason="deploy",
        now=datetime.now(UTC),
        damaged=lambda key, _why: reported.append(key),
    )


LOCK = {"user": "a", "host": "b", "pid": 1, "reason": "", "acquired": "", "token": 3, "released": True}


@settings(deadline=None)
@given(
    body=st.binary(max_size=100)
    | st.sampled_from(ODD)
    | st.tuples(st.sampled_from(sorted(LOCK)), JSON).map(
        lambda each: json.dumps({**LOCK, each[0]: each[1]}).encode()
    )
)
def test_a_lock_that_cannot_be_read_is_free_and_replaced(body: bytes) -> None:
    store, reported = MemoryObjects(), list[str]()
    store.create("lock.json", body)
    found = read_lock(store, "lock.json")
    assert found is not None
    if not found[0].damage:
        return
    assert current_owner(store, "lock.json") is None
    with lock(store, reported) as taken:
        assert reported == ["lock.json"]
        assert current_owner(store, "lock.json") is not None
        first = taken.token
    with lock(store, reported) as again:
        assert again.token == first + 1
    assert reported == ["lock.json"]


def test_unlock_replaces_a_lock_that_cannot_be_read() -> None:
    store = MemoryObjects()
    store.create("lock.json", b"{")
    owner = break_lock(store, "lock.json")
    assert owner is not None
    assert "cannot be read" in str(owner)
    found = read_lock(store, "lock.json")
    assert found is not None
    assert (found[0].damage, found[0].released) == ("", True)
    assert break_lock(store, "lock.json") is None
